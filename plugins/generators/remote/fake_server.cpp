#include "fake_server.h"

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace remote::test {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

struct FakeServer::State {
  explicit State(Answer does)
      : answer(std::move(does)), acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {}

  void accept() {
    while (!dead) {
      auto socket = std::make_shared<tcp::socket>(io);
      error_code ec;
      acceptor.accept(*socket, ec);
      if (ec || dead) return;
      const std::scoped_lock lock(mutex);
      open.insert(socket);
      sessions.emplace_back([this, socket] { serve(*socket); });
    }
  }

  void serve(tcp::socket& socket) {
    boost::beast::flat_buffer buffer;
    error_code ec;
    while (!dead) {
      http::request<http::string_body> request;
      http::read(socket, buffer, request, ec);
      if (ec) return;
      const std::size_t now = ++at_once;
      for (std::size_t most = most_at_once; now > most && !most_at_once.compare_exchange_weak(most, now);) {
      }
      const Said said = say(request);
      for (int i = 0; i < said.seconds * 100 && !dead; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      --at_once;
      if (said.reset || dead) {
        socket.set_option(asio::socket_base::linger(true, 0), ec);
        socket.close(ec);
        return;
      }
      http::response<http::string_body> response(http::int_to_status(said.status), 11);
      if (!said.retry_after_ms.empty()) response.set("Retry-After-Ms", said.retry_after_ms);
      response.body() = said.body;
      response.prepare_payload();
      http::write(socket, response, ec);
      if (ec) return;
    }
  }

  Said say(const http::request<http::string_body>& request) {
    const std::scoped_lock lock(answering);
    Asked asked{std::string(request.target()), std::string(request[http::field::authorization]), {}, posts};
    if (request.method() == http::verb::post) {
      asked.body = plumb::parse_json(request.body(), "request");
      ++posts;
    }
    return answer(asked);
  }

  Answer answer;
  asio::io_context io;
  tcp::acceptor acceptor;
  std::atomic<bool> dead{false};
  std::atomic<std::size_t> at_once{0}, most_at_once{0};
  std::mutex mutex, answering;
  std::size_t posts = 0;
  std::set<std::shared_ptr<tcp::socket>> open;
  std::vector<std::thread> sessions;
  std::thread acceptance;
};

FakeServer::FakeServer(Answer answer) : state_(std::make_unique<State>(std::move(answer))) {
  state_->acceptance = std::thread([state = state_.get()] { state->accept(); });
}

FakeServer::~FakeServer() {
  die();
  state_->acceptance.join();
  for (std::thread& session : state_->sessions) session.join();
}

std::string FakeServer::url() const {
  return "http://127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port());
}

std::size_t FakeServer::most_at_once() const {
  return state_->most_at_once;
}

void FakeServer::die() {
  if (state_->dead.exchange(true)) return;
  error_code ec;
  ::shutdown(state_->acceptor.native_handle(), SHUT_RDWR);  // wakes accept()
  const std::scoped_lock lock(state_->mutex);
  for (const auto& socket : state_->open) {
    if (socket->is_open()) ::shutdown(socket->native_handle(), SHUT_RDWR);
  }
}

}  // namespace remote::test
