#include "connection.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <plumb/error.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <optional>

namespace server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t longest_answer = std::uint64_t{16} << 20;  // bytes
constexpr int most_interim_answers = 32;                           // before one answer

Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

}  // namespace

struct Trust::Context {
  asio::ssl::context tls{asio::ssl::context::tls_client};
};

Trust::Trust(const std::string& ca_file, const std::string& who) : context_(std::make_unique<Context>()) {
  asio::ssl::context& tls = context_->tls;
  error_code ec;
  if (ca_file.empty()) {
    tls.set_default_verify_paths(ec);
  } else {
    tls.load_verify_file(ca_file, ec);
  }
  if (ec) {
    throw plumb::Error(plumb::ErrorCode::data, who + ": no certificates in " +
                                                   (ca_file.empty() ? "the system's store" : ca_file) + ": " +
                                                   ec.message() + "; `ca_file` wants a PEM file");
  }
  tls.set_verify_mode(asio::ssl::verify_peer);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
}

Trust::~Trust() = default;

struct Connection::Wire {
  Url url;
  TimeLimits limits;
  std::function<bool()> stop;
  asio::io_context io{1};
  std::optional<beast::ssl_stream<beast::tcp_stream>> tls;
  std::optional<beast::tcp_stream> plain;
  beast::flat_buffer buffer;
  bool used = false, keep = false;

  beast::tcp_stream& tcp() { return tls ? tls->next_layer() : *plain; }

  // Runs one asynchronous operation to its end in this thread. `start` gets the completion handler.
  template <class Start>
  error_code run(double limit, const Start& start) {
    error_code result = asio::error::timed_out;
    const Clock::time_point end = Clock::now() + seconds(limit);
    start([&result](error_code ec, auto&&...) { result = ec; });
    io.restart();
    while (!io.stopped()) {
      io.run_for(std::chrono::milliseconds(100));
      if (io.stopped()) break;
      const bool late = Clock::now() > end + std::chrono::seconds(1);  // the stream's own limit failed to end it
      if (!late && !stop()) continue;
      if (tls || plain) tcp().close();
      if (resolver) resolver->cancel();
      io.run_for(std::chrono::milliseconds(100));
      if (!late) throw Stopped{};
      return asio::error::timed_out;
    }
    return result == beast::error::timeout ? error_code(asio::error::timed_out) : result;
  }

  void check(error_code ec, const char* what) const {
    if (ec) throw Broken(std::string(what) + " " + authority(url) + ": " + ec.message());
  }

  std::optional<asio::ip::tcp::resolver> resolver;

  void connect() {
    resolver.emplace(io);
    asio::ip::tcp::resolver::results_type found;
    check(run(limits.connect,
              [&](auto done) {
                resolver->async_resolve(url.host, url.port, [&found, done](error_code ec, const auto& results) mutable {
                  found = results;
                  done(ec);
                });
              }),
          "cannot find");
    resolver.reset();
    tcp().expires_after(seconds(limits.connect));
    check(run(limits.connect, [&](auto done) { tcp().async_connect(found, done); }), "cannot connect to");
    error_code ignored;
    tcp().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  }

  void shake_hands() {
    SSL* handle = tls->native_handle();
    error_code no_address;
    asio::ip::make_address(url.host, no_address);
    const int set = no_address
                        ? SSL_set_tlsext_host_name(handle, url.host.c_str()) & SSL_set1_host(handle, url.host.c_str())
                        : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), url.host.c_str());
    if (set != 1) throw Broken("cannot set up TLS with " + authority(url));
    tcp().expires_after(seconds(limits.connect));
    const error_code ec =
        run(limits.connect, [&](auto done) { tls->async_handshake(asio::ssl::stream_base::client, done); });
    const long verified = SSL_get_verify_result(handle);
    if (ec && verified != X509_V_OK) {
      throw Untrusted("the certificate of " + authority(url) +
                      " is refused: " + X509_verify_cert_error_string(verified));
    }
    check(ec, "no TLS with");
  }

  template <class Stream>
  HttpAnswer exchange(Stream& stream, const http::request<http::string_body>& request) {
    keep = false;
    tcp().expires_after(seconds(limits.exchange));
    const error_code sent =
        run(limits.exchange, [&](auto done) { http::async_write(stream, request, std::move(done)); });
    for (int interim = 0; interim <= most_interim_answers; ++interim) {
      http::response_parser<http::string_body> parser;
      parser.body_limit(longest_answer);
      const error_code read =
          sent ? sent
               : run(limits.exchange, [&](auto done) { http::async_read(stream, buffer, parser, std::move(done)); });
      if (read) {
        const std::string what = "the exchange with " + authority(url) + " broke off: " + read.message();
        if (used && interim == 0 && read != asio::error::timed_out && !parser.got_some()) throw Stale(what);
        throw Broken(what);
      }
      const unsigned status = parser.get().result_int();
      if (status / 100 == 1 && status != 101) continue;
      tcp().expires_never();
      used = true;
      keep = parser.keep_alive() && status != 101;
      http::response<http::string_body> response = parser.release();
      return {status, std::string(response["Retry-After"]), std::string(response["Retry-After-Ms"]),
              std::move(response.body())};
    }
    throw Broken(authority(url) + " sends interim answers without end");
  }

  [[nodiscard]] bool silent() {
    if (buffer.size() > 0 || (tls && SSL_pending(tls->native_handle()) > 0)) return false;
    pollfd socket{tcp().socket().native_handle(), POLLIN, 0};
    return ::poll(&socket, 1, 0) == 0;
  }
};

Connection::Connection(const Url& url, const Trust& trust, TimeLimits limits, std::function<bool()> stop)
    : wire_(std::make_unique<Wire>()) {
  wire_->url = url;
  wire_->limits = limits;
  wire_->stop = std::move(stop);
  if (url.tls) {
    wire_->tls.emplace(wire_->io, trust.context_->tls);
  } else {
    wire_->plain.emplace(wire_->io);
  }
  wire_->connect();
  if (url.tls) wire_->shake_hands();
}

Connection::~Connection() = default;

bool Connection::reusable() const {
  return wire_->keep && wire_->silent();
}

HttpAnswer Connection::ask(const HttpRequest& asked) {
  http::request<http::string_body> request(asked.get ? http::verb::get : http::verb::post, asked.target, 11);
  request.set(http::field::host, authority(wire_->url));
  request.set(http::field::user_agent, "plumbline");
  if (!asked.get) request.set(http::field::content_type, "application/json");
  request.set(http::field::accept, "application/json");
  for (const auto& [name, value] : asked.headers) request.set(name, value);
  request.body() = asked.body;
  request.prepare_payload();
  return wire_->tls ? wire_->exchange(*wire_->tls, request) : wire_->exchange(*wire_->plain, request);
}

}  // namespace server
