// One connection to a server: HTTP/1.1 with or without TLS, kept open between requests.
//
//   const Trust trust(settings.ca_file, "openai-judge");
//   Connection connection(url, trust, {.connect = 10, .exchange = 120}, stop);     // connects
//   HttpAnswer answer = connection.ask({"/v1/chat/completions", body, headers});
//   if (connection.reusable()) …
//
// Interim answers (1xx) are passed over, as RFC 9110, 15.2 asks. Bytes behind an answer belong to no request: they end
// the connection (RFC 9112, 6.3), or the next request would get them for its answer.
//
// TLS is 1.2 or later, the certificate is checked against the system's roots or `ca_file`, its name against the host.
// Every wait ends: at its time limit, or soon after `stop` says so. Thread contract: [lane]; Trust is [any] once made.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "url.h"

namespace server {

struct HttpRequest {
  std::string target, body;  // a body is JSON
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool get = false;  // GET, without a body; else POST
};

struct HttpAnswer {
  unsigned status = 0;
  std::string retry_after, retry_after_ms;  // headers; empty when absent
  std::string body;
};

// The exchange did not come to its end; asking again may help.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A request over a kept connection ended before the first byte of an answer: its server had closed it meanwhile.
struct Stale : Broken {
  using Broken::Broken;
};
// The server is not who it should be; asking again would not help.
struct Untrusted : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// `stop` said so.
struct Stopped {};

struct TimeLimits {
  double connect = 10;    // seconds: name, TCP and TLS each
  double exchange = 120;  // seconds from the request's first byte to the answer's last
};

class Trust {
 public:
  // Empty: the system's roots. Error(data), said by `who`, for a file that holds no certificate.
  Trust(const std::string& ca_file, const std::string& who);
  ~Trust();

 private:
  friend class Connection;
  struct Context;
  std::unique_ptr<Context> context_;
};

class Connection {
 public:
  Connection(const Url& url, const Trust& trust, TimeLimits limits, std::function<bool()> stop);
  ~Connection();

  HttpAnswer ask(const HttpRequest& asked);
  // The last exchange ended well, and the server has said nothing since: neither more bytes nor the end.
  [[nodiscard]] bool reusable() const;

 private:
  struct Wire;
  std::unique_ptr<Wire> wire_;
};

}  // namespace server
