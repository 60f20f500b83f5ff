#include "framework/core/isolation/connection.h"

#include <poll.h>
#include <unistd.h>

#include "framework/core/isolation/thrown.h"

namespace plumb {

Connection::Connection(int socket) : socket_(socket) {
  std::thread([this] { read_for_ever(); }).detach();
}

void Connection::read_for_ever() {
  try {
    for (;;) {
      pollfd wait{socket_.descriptor(), POLLIN, 0};
      ::poll(&wait, 1, -1);
      const bool open = socket_.read();
      while (auto frame = socket_.next()) arrived(std::move(*frame));
      if (!open) break;
    }
  } catch (const std::exception&) {
    ::_exit(1);  // what came is no message: there is nobody to tell
  }
  ::_exit(0);
}

void Connection::arrived(Frame frame) {
  if (frame.kind == FrameKind::cancel) {
    cancelled_ = true;
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (frame.kind <= FrameKind::end) {  // work comes first in the enumeration
      work_.push_back(std::move(frame));
    } else if (const auto ask = waiting_.find(frame.id); ask != waiting_.end()) {
      ask->second.push_back(std::move(frame));
    }
  }
  changed_.notify_all();
}

Frame Connection::next_work() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !work_.empty(); });
  Frame out = std::move(work_.front());
  work_.pop_front();
  return out;
}

void Connection::tell(FrameKind kind, std::uint64_t id, const std::string& payload) {
  socket_.send(kind, id, payload, [] { return false; });  // the reading thread ends the process when nobody listens
}

std::string Connection::ask(Operation operation, const std::string& args,
                            const std::function<void(WireReader&)>& part) {
  const std::uint64_t id = ++asks_;
  {
    const std::scoped_lock lock(mutex_);
    waiting_[id];
  }
  tell(FrameKind::ask, id, packed(operation) + args);
  std::exception_ptr refused;  // a part, by who asked: the framework goes on to its end all the same
  for (;;) {
    std::unique_lock lock(mutex_);
    std::deque<Frame>& mine = waiting_[id];
    changed_.wait(lock, [&] { return !mine.empty(); });
    const Frame frame = std::move(mine.front());
    mine.pop_front();
    if (frame.kind != FrameKind::streamed) waiting_.erase(id);
    lock.unlock();
    if (frame.kind == FrameKind::answer) {
      if (refused) std::rethrow_exception(refused);
      return frame.payload;
    }
    WireReader in(frame.payload);
    if (frame.kind == FrameKind::refusal) {
      const auto thrown = in.take<Thrown>();
      throw FrameworkFailure(static_cast<ErrorCode>(thrown.code), thrown.message, id);
    }
    try {
      if (!refused) part(in);
    } catch (...) {
      refused = std::current_exception();
    }
  }
}

}  // namespace plumb
