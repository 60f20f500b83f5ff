// Connections to one server, kept open between requests: as many as requests are under way at once.
//
//   ConnectionPool pool([&] { return std::make_unique<Connection>(url, trust, limits, stop); }, 8);
//   HttpAnswer answer = pool.ask({target, body, headers});         // waits while eight others are under way
//
// Thread contract: ask is [any].
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <utility>
#include <vector>

#include "connection.h"

namespace server {

class ConnectionPool {
 public:
  ConnectionPool(std::function<std::unique_ptr<Connection>()> connect, std::ptrdiff_t at_once)
      : connect_(std::move(connect)), free_(at_once) {}

  HttpAnswer ask(const HttpRequest& asked) {
    const Slot slot(free_);
    if (std::unique_ptr<Connection> kept = take()) {
      try {
        return ask_over(std::move(kept), asked);
      } catch (const Stale&) {  // its server closed it meanwhile; a new connection is no second attempt
        ++lost_;
      }
    }
    return ask_over(connect_(), asked);
  }

  // Kept connections that their server closed.
  [[nodiscard]] std::int64_t lost() const { return lost_; }

 private:
  struct Slot {
    explicit Slot(std::counting_semaphore<>& free) : free_(free) { free_.acquire(); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { free_.release(); }
    std::counting_semaphore<>& free_;
  };

  std::unique_ptr<Connection> take() {
    const std::scoped_lock lock(mutex_);
    while (!kept_.empty()) {
      std::unique_ptr<Connection> last = std::move(kept_.back());
      kept_.pop_back();
      if (last->reusable()) return last;
      ++lost_;
    }
    return nullptr;
  }

  HttpAnswer ask_over(std::unique_ptr<Connection> connection, const HttpRequest& asked) {
    HttpAnswer answer = connection->ask(asked);
    if (connection->reusable()) {
      const std::scoped_lock lock(mutex_);
      kept_.push_back(std::move(connection));
    }
    return answer;
  }

  std::function<std::unique_ptr<Connection>()> connect_;
  std::counting_semaphore<> free_;
  std::atomic<std::int64_t> lost_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> kept_;
};

}  // namespace server
