// Asks one server, again where that may help: what every component that speaks to one shares.
//
//   struct Settings { std::string url; server::Access access; };
//   p.include(&Settings::access, server::Access::params());           // key_from, ca_file, concurrency, attempts, …
//   p.check([](const Settings& s) { return s.access.wrong(s.url); });
//   …
//   server::Client client("openai-judge", settings.url, settings.access, host);
//   const server::Outcome outcome = client.ask({"/chat/completions", body}, [&](const std::string& body) {
//     return read(body) ? "" : "no chat completion";                  // a text: why the answer will not do
//   });
//
// The README beside says what is asked again. Thread contract: const methods and ask are [any]; as many requests as
// `concurrency` says are under way at once, the others wait.
#pragma once

#include <plumb/host.h>
#include <plumb/params.h>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "connection_pool.h"
#include "retry.h"
#include "secret.h"

namespace server {

// How a server is spoken to.
struct Access {
  std::string key_from, ca_file;
  std::int64_t concurrency = 8, attempts = 8;
  double timeout = 120, connect_timeout = 10, first_wait = 0.5, longest_wait = 60;  // seconds

  static plumb::Params<Access> params();
  // What is wrong with an address, or with sending the key there; empty: nothing.
  [[nodiscard]] std::string wrong(const std::string& url) const;
};

// What a request came to.
struct Outcome {
  Verdict verdict = Verdict::answered;  // again: not in `attempts`; failed, refused: as the server's status says
  std::string why;                      // of all but `answered`; without the key
};

class Client {
 public:
  // Takes what Access::wrong() finds nothing in. `who` is named in errors. Error(recipe): the key's variable is not set;
  // Error(data): `ca_file` holds no certificate.
  Client(std::string who, const std::string& url, const Access& access, plumb::Host& host);

  // The target is below the url's path. `accept` gets the body of a good answer and says why it will not do, or nothing;
  // what it throws ends the request. Throws Stopped when the host is cancelled, Error(run_failed) for a server whose
  // certificate is refused.
  Outcome ask(HttpRequest request, const std::function<std::string(const std::string& body)>& accept);

  // What the server said, without the key and cut to what a message can hold.
  [[nodiscard]] std::string shown(const std::string& body) const;
  [[nodiscard]] std::string strike(std::string text) const { return key_.strike(std::move(text)); }
  [[nodiscard]] std::int64_t sent() const { return sent_; }  // requests, attempts counted singly
  // How often an exchange broke off, the server closed a connection, or said that it is broken (5xx). It may be another
  // one since.
  [[nodiscard]] std::int64_t outages() const { return outages_ + pool_.lost(); }
  [[nodiscard]] std::string place() const { return authority(url_); }

 private:
  HttpAnswer send(const HttpRequest& request);
  void wait(double seconds) const;

  std::string who_;
  Access access_;
  plumb::Host& host_;
  Url url_;
  Secret key_;
  Trust trust_;
  std::atomic<std::int64_t> sent_{0}, outages_{0};
  ConnectionPool pool_;
};

// A path of a recipe, from the recipe's folder; empty stays empty.
std::string in_recipe(const std::string& path, const plumb::Host& host);

// The message of an error body, or the body as it is when it holds none.
std::string error_message(const std::string& body);

}  // namespace server
