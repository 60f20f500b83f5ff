// A server in this process that does what a test says, request by request.
//
//   FakeServer server([](const FakeServer::Asked& asked) { return FakeServer::Said{.body = "{}"}; });
//   … ask server.url() …
//
// Thread contract: the test's function is called from one thread at a time; the server ends with the object.
#pragma once

#include <plumb/value.h>
#include <functional>
#include <memory>
#include <string>

namespace remote::test {

class FakeServer {
 public:
  struct Asked {
    std::string target, key;
    plumb::Value body;   // null of a GET
    std::size_t number;  // of the POSTs before
  };
  struct Said {
    unsigned status = 200;
    std::string body = {};
    bool reset = false;  // the connection, without an answer
    double seconds = 0;  // before the answer; others are answered meanwhile
    std::string retry_after_ms = {};
  };
  using Answer = std::function<Said(const Asked&)>;

  explicit FakeServer(Answer answer);
  ~FakeServer();

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::size_t most_at_once() const;
  // From now on no connection is taken, and those that are open are ended.
  void die();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace remote::test
