#include "framework/core/isolation/threads.h"

#include <future>

namespace plumb {

void Keeper::run(const std::function<void()>& work) {
  std::packaged_task<void()> task(work);
  std::future<void> done = task.get_future();
  thread_.run([&task] { task(); });
  done.get();
}

WaitingThreads::~WaitingThreads() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WaitingThreads::run(std::function<void()> work) {
  const std::scoped_lock lock(mutex_);
  work_.push_back(std::move(work));
  ++unfinished_;
  if (idle_ < work_.size() && threads_.size() < most_) {
    threads_.emplace_back([this] { serve(); });
  } else {
    changed_.notify_one();
  }
}

bool WaitingThreads::busy() {
  const std::scoped_lock lock(mutex_);
  return unfinished_ > 0;
}

void WaitingThreads::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return over_ || !work_.empty(); });
    --idle_;
    if (work_.empty()) return;
    const std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    lock.lock();
    --unfinished_;
  }
}

}  // namespace plumb
