#include "judge_server.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plumb/random.h>
#include <plumb/value.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <new>
#include <sstream>
#include <thread>
#include <vector>

#include "certificates.h"

namespace plumb::test {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

struct Order {
  std::size_t item = 0;
  std::string plan = "ok";
};

Order order_of(const std::string& body) {
  Order order;
  const Value root = parse_json(body, "request");
  const std::string text = root.at("messages").as_list().back().at("content").as_string();
  if (const std::size_t at = text.find("item="); at != std::string::npos)
    order.item = std::stoul(text.substr(at + 5)) % items;
  if (const std::size_t at = text.find("plan="); at != std::string::npos) {
    order.plan = text.substr(at + 5, text.find_first_of(" \n", at) - at - 5);
  }
  return order;
}

std::string fault_of(std::size_t item, unsigned request) {
  static const std::vector<std::string> faults{"429", "500", "503", "reset", "truncated", "html", "empty"};
  if (request >= 3) return "ok";
  if (item % 500 == 7 && request == 0) return "stall";
  Random random = Random(11).derive(item).derive(request);
  return random.uniform() < 0.25 ? faults[random.below(faults.size())] : "ok";
}

std::string step_of(const Order& order, unsigned request) {
  std::istringstream words(order.plan);
  std::string step, word;
  for (unsigned i = 0; i <= request && std::getline(words, word, ','); ++i) step = word;
  return step == "faults" ? fault_of(order.item, request) : step;
}

std::string completion(const std::string& text, std::int64_t read = 10, std::int64_t written = 2) {
  return to_json(Value::map(
      {{"choices", Value::list({Value::map({{"message", Value::map({{"role", "assistant"}, {"content", text}})}})})},
       {"usage", Value::map({{"prompt_tokens", read}, {"completion_tokens", written}})}}));
}

std::string bytes_of(const Response& response) {
  std::ostringstream whole;
  whole << response;
  return std::move(whole).str();
}

class Session {
 public:
  Session(Board& board, Door door, const std::string& key) : board_(board), door_(door), key_(key) {}

  template <class Stream>
  void serve(Stream& stream, tcp::socket& socket) {
    boost::beast::flat_buffer buffer;
    error_code ec;
    for (bool open = true; open;) {
      Request request;
      http::read(stream, buffer, request, ec);
      if (ec) return;
      const unsigned now = ++board_.at_once;
      for (unsigned most = board_.most_at_once; now > most && !board_.most_at_once.compare_exchange_weak(most, now);) {
      }
      open = answer(stream, socket, request);
      --board_.at_once;
    }
  }

 private:
  template <class Stream>
  bool answer(Stream& stream, tcp::socket& socket, const Request& request) {
    ++board_.requests_at[static_cast<std::size_t>(door_)];
    const bool right_key = request[http::field::authorization] == "Bearer " + key_;
    if (!right_key) ++board_.wrong_key;
    const Order order = order_of(request.body());
    const std::string step = step_of(order, board_.requests[order.item]++);
    if (step == "reset") {
      socket.set_option(asio::socket_base::linger(true, 0));
      socket.close();
      return false;
    }
    if (step == "stall") {  // until the client gives up
      pollfd wait{socket.native_handle(), POLLIN, 0};
      ::poll(&wait, 1, 20'000);
      return false;
    }
    if (step == "meet") {  // until there was another one at the same time
      for (int i = 0; i < 1000 && board_.most_at_once < 2; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const std::string text = "item " + std::to_string(order.item) + ": [[" + std::to_string(order.item % 10 + 1) + "]]";
    Response response(http::status::ok, 11);
    response.body() = completion(text);
    if (!right_key) {
      response.result(401);
      response.body() = R"({"error":{"message":"wrong key"}})";
    } else if (step == "html" || step == "empty") {
      response.body() = step == "html" ? "<html>busy</html>" : "{}";
    } else if (step == "filtered") {
      response.body() = R"({"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]})";
    } else if (step == "vague") {
      response.body() = completion("I like item " + std::to_string(order.item) + " very much.");
    } else if (step == "echo") {
      response.body() = completion(text + " " + std::string(request[http::field::authorization]));
    } else if (step == "echo401") {
      response.result(401);
      response.body() = to_json(Value::map({{"error", Value::map({{"message", std::string(280, 'x') + key_}})}}));
    } else if (step == "redirect") {
      response.result(302);
      response.set(http::field::location,
                   "http://localhost:" + std::to_string(board_.ports[static_cast<std::size_t>(Door::plain)]) +
                       "/v1/chat/completions");
    } else if (step == "wait" || step == "now") {
      response.result(429);
      response.set(http::field::retry_after, step == "now" ? "0" : "1");
    } else if (step == "usage") {
      response.body() = completion(text, INT64_MAX, -5);
    } else if (step == "429") {
      response.result(429);
      response.set("Retry-After-Ms", "30");
    } else if (step != "ok" && step != "meet" && step != "truncated" && step != "interim" && step != "twice") {
      response.result(static_cast<unsigned>(std::stoul(step)));
      response.body() = R"({"error":{"message":"as planned"}})";
    }
    response.prepare_payload();
    error_code ec;
    if (step == "truncated") {
      const std::string bytes = bytes_of(response);
      asio::write(stream, asio::buffer(bytes.data(), bytes.size() - 20), ec);
      socket.shutdown(tcp::socket::shutdown_both, ec);
      return false;
    }
    std::string bytes = bytes_of(response);
    if (step == "interim") {
      bytes.insert(0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
    } else if (step == "twice") {
      response.body() = completion("nobody asked: [[10]]");
      response.prepare_payload();
      bytes += bytes_of(response);
    }
    asio::write(stream, asio::buffer(bytes), ec);
    const bool good = step != "html" && step != "empty" && response.result() == http::status::ok;
    if (!ec && good && right_key) {
      ++board_.answered[order.item];
      ++board_.total_answered;
    }
    return !ec;
  }

  Board& board_;
  Door door_;
  const std::string& key_;
};

void serve_connection(Board& board, Door door, const std::string& key, tcp::socket socket, asio::ssl::context* tls) {
  try {
    ++board.connections[static_cast<std::size_t>(door)];
    socket.set_option(tcp::no_delay(true));
    Session session(board, door, key);
    if (tls == nullptr) {
      session.serve(socket, socket);
      return;
    }
    asio::ssl::stream<tcp::socket&> stream(socket, *tls);
    error_code ec;
    stream.handshake(asio::ssl::stream_base::server, ec);
    if (!ec) session.serve(stream, socket);
  } catch (const std::exception&) {  // the client went away, or sent what is no request
  }
}

// Never returns: the process ends with its parent.
[[noreturn]] void run_server(Board& board, const std::filesystem::path& folder, const std::string& key) {
  static constexpr std::array<const char*, doors> names{"good", "expired", "wrong_host", "unknown", ""};
  asio::io_context io;
  std::vector<std::jthread> acceptors;
  for (std::size_t door = 0; door < doors; ++door) {
    auto acceptor = std::make_shared<tcp::acceptor>(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    std::shared_ptr<asio::ssl::context> tls;
    if (*names[door] != '\0') {
      tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
      tls->use_certificate_file((folder / names[door]).string() + ".crt", asio::ssl::context::pem);
      tls->use_private_key_file((folder / names[door]).string() + ".key", asio::ssl::context::pem);
    }
    board.ports[door] = acceptor->local_endpoint().port();
    acceptors.emplace_back([&board, &io, &key, acceptor, tls, door] {
      for (;;) {
        tcp::socket socket(io);
        error_code ec;
        acceptor->accept(socket, ec);
        if (ec) continue;
        std::thread(serve_connection, std::ref(board), static_cast<Door>(door), std::cref(key), std::move(socket),
                    tls.get())
            .detach();
      }
    });
  }
  for (;;) ::pause();
}

Board* shared_board() {
  void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return new (memory) Board{};
}

}  // namespace

JudgeServer::JudgeServer(const std::filesystem::path& folder, const std::string& key) : board_(shared_board()) {
  std::filesystem::create_directories(folder);
  const Authority known("Plumbline test root"), unknown("Somebody else's root");
  known.write_root(folder / "ca.pem");
  known.issue({.name = "localhost", .address = "127.0.0.1"}, folder / "good");
  known.issue({.name = "localhost", .address = "127.0.0.1", .begins = -7200, .ends = -3600}, folder / "expired");
  known.issue({.name = "judge.example.org"}, folder / "wrong_host");
  unknown.issue({.name = "localhost", .address = "127.0.0.1"}, folder / "unknown");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    if (::getppid() != parent) ::_exit(0);
    try {
      run_server(*board_, folder, key);
    } catch (...) {
      ::_exit(1);
    }
  }
  while (board_->ports[doors - 1] == 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

JudgeServer::~JudgeServer() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(board_, sizeof(Board));
}

std::string JudgeServer::url(Door door) const {
  return (door == Door::plain ? "http://localhost:" : "https://localhost:") + std::to_string(port(door)) + "/v1";
}

}  // namespace plumb::test
