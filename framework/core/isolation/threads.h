// Two uses of threads beside the one that waits for an isolated component's answer.
//
//   Keeper keeper;
//   keeper.run([&] { process = std::make_unique<ChildProcess>(command, fd); });
//
//   WaitingThreads waiting;
//   waiting.run([&] { … });          // beside the others; joined at the latest by the destructor
//
// Thread contract: run is [any]; made and destroyed by one thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace plumb {

// As many threads as there is work at once, which waits for somebody else, or `most`. They stay until the end.
class WaitingThreads {
 public:
  explicit WaitingThreads(std::size_t most = std::numeric_limits<std::size_t>::max()) : most_(most) {}
  WaitingThreads(const WaitingThreads&) = delete;
  WaitingThreads& operator=(const WaitingThreads&) = delete;
  ~WaitingThreads();
  void run(std::function<void()> work);  // which throws nothing
  [[nodiscard]] bool busy();

 private:
  void serve();

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  std::size_t idle_ = 0, unfinished_ = 0;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

// Starts processes. The kernel ends such a process when the thread that started it ends, and the threads that call
// components come and go; this one stays as long as the component.
class Keeper {
 public:
  // Runs `work` in the keeper's thread and waits for it; what it throws comes back.
  void run(const std::function<void()>& work);

 private:
  WaitingThreads thread_{1};
};

}  // namespace plumb
