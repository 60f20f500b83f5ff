// An isolated component's connection to the framework.
//
//   Connection connection(3);
//   Frame work = connection.next_work();                        // make, examine, call or end
//   std::string answer = connection.ask(Operation::scratch_folder, {});
//   connection.tell(FrameKind::result, work.id, payload);
//
// Thread contract: ask, tell and cancelled are [any]; next_work belongs to the main thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "framework/core/isolation/frames.h"
#include "framework/core/isolation/wire.h"

namespace plumb {

class Connection {
 public:
  // Reads in a thread of its own, which ends the process when the other end is gone.
  explicit Connection(int socket);

  Frame next_work();
  void tell(FrameKind kind, std::uint64_t id, const std::string& payload);
  // What the framework answers; `part` hears of each part that comes before. Throws FrameworkFailure.
  std::string ask(Operation operation, const std::string& args, const std::function<void(WireReader&)>& part = {});
  [[nodiscard]] bool cancelled() const { return cancelled_; }

 private:
  [[noreturn]] void read_for_ever();
  void arrived(Frame frame);

  FrameSocket socket_;
  std::atomic<bool> cancelled_{false};
  std::atomic<std::uint64_t> asks_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Frame> work_;
  std::map<std::uint64_t, std::deque<Frame>> waiting_;  // asks under way, with what has come for them
};

}  // namespace plumb
