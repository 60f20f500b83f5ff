// Connections to one server, kept open between requests: as many as requests are under way at once.
//
//   ConnectionPool pool([&] { return std::make_unique<Connection>(url, trust, limits, stop); }, 8);
//   HttpAnswer answer = pool.post(target, headers, body);          // waits while eight others are under way
//
// Thread contract: post is [any].
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <utility>
#include <vector>

#include "connection.h"

namespace openai {

class ConnectionPool {
 public:
  ConnectionPool(std::function<std::unique_ptr<Connection>()> connect, std::ptrdiff_t at_once)
      : connect_(std::move(connect)), free_(at_once) {}

  HttpAnswer post(const std::string& target, const std::vector<std::pair<std::string, std::string>>& headers,
                  const std::string& body) {
    const Slot slot(free_);
    if (std::unique_ptr<Connection> kept = take()) {
      try {
        return post_over(std::move(kept), target, headers, body);
      } catch (const Stale&) {  // its server closed it meanwhile; a new connection is no second attempt
      }
    }
    return post_over(connect_(), target, headers, body);
  }

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
    }
    return nullptr;
  }

  HttpAnswer post_over(std::unique_ptr<Connection> connection, const std::string& target,
                       const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body) {
    HttpAnswer answer = connection->post(target, headers, body);
    if (connection->reusable()) {
      const std::scoped_lock lock(mutex_);
      kept_.push_back(std::move(connection));
    }
    return answer;
  }

  std::function<std::unique_ptr<Connection>()> connect_;
  std::counting_semaphore<> free_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> kept_;
};

}  // namespace openai
