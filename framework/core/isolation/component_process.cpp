#include "framework/core/isolation/component_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "framework/cancelled.h"
#include "framework/core/artifacts/descriptor.h"
#include "framework/core/isolation/component_program.h"
#include "framework/core/isolation/thrown.h"
#include "framework/core/registry/registry.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kSlice{100};         // between two looks at the host and the process
constexpr std::chrono::seconds kToStop{5};  // for a call to come to its end once the run is to stop
constexpr milliseconds kForItsEnd{5000};    // of a process that closed its socket or was told to end

}  // namespace

std::string IsolatedSubject::title() const {
  return fmt::format("{} `{}` of {} {}", without_revision(kind), name, id, version);
}

std::string file_identity(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "absent";
  return fmt::format("{}:{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

ComponentProcess::ComponentProcess(const IsolatedSubject& subject, const Surroundings& around)
    : subject_(subject), host_(around.host), services_(around.host, around.shared) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw Error(ErrorCode::run_failed, fmt::format("no connection to a process for {}: {}", subject_.title(),
                                                   std::generic_category().message(errno)));
  }
  socket_ = std::make_unique<FrameSocket>(ends[0]);
  const Descriptor theirs(ends[1]);
  const std::vector<std::string> command{component_program().string(), subject_.title()};
  around.keeper.run([&] { child_ = std::make_unique<ChildProcess>(command, theirs.get()); });
  made_ = request(FrameKind::make,
                  packed(subject_.kind, subject_.name, subject_.file, subject_.id, subject_.version, subject_.identity,
                         subject_.params, host_.recipe_folder()),
                  "its constructor", nullptr);
}

ComponentProcess::~ComponentProcess() {
  child_->stop_all(SIGKILL);
}

std::string ComponentProcess::who() const {
  return fmt::format("its process (plugin {} {})", subject_.id, subject_.version);
}

// What the component's end sends is not trusted.
template <class F>
auto ComponentProcess::well_formed(F&& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw CallFailed{who() + ": " + error.what()};
  }
}

std::string ComponentProcess::call(Operation operation, const std::string& args, const std::string& during,
                                   EvaluationContext* context) {
  return request(FrameKind::call, packed(operation) + args, during, context);
}

void ComponentProcess::end() {
  try {
    static_cast<void>(request(FrameKind::end, {}, "its destructor", nullptr));
    const auto until = Clock::now() + kForItsEnd;
    while (!child_->ended() && Clock::now() < until) std::this_thread::sleep_for(milliseconds(1));
    pass_on_output(true);
    if (!child_->ended()) {
      host_.log(LogLevel::warning, subject_.title() + ": its process does not end, and was killed");
    } else if (child_->signal() != 0) {
      host_.log(LogLevel::warning, subject_.title() + ": when all was done, its process " + how_it_ended(*child_));
    }
  } catch (const CallFailed& failed) {
    host_.log(LogLevel::warning, subject_.title() + ": " + failed.why);
  } catch (const std::exception& error) {
    host_.log(LogLevel::warning, subject_.title() + ": " + error.what());
  }
}

void ComponentProcess::send(FrameKind kind, std::uint64_t id, const std::string& payload) {
  // A process that is gone, or hangs, is noticed by who waits for its answer.
  const auto until = Clock::now() + std::chrono::duration<double>(subject_.call_timeout);
  socket_->send(kind, id, payload, [&] { return Clock::now() > until; });
}

std::string ComponentProcess::request(FrameKind kind, const std::string& payload, const std::string& during,
                                      EvaluationContext* context) {
  const std::uint64_t id = ++calls_;
  {
    const std::scoped_lock lock(failures_mutex_);
    failures_.clear();
  }
  send(kind, id, payload);
  WaitingThreads waiting;
  for (;;) {
    const Frame frame = next_frame(during, waiting);
    if (frame.kind == FrameKind::ask) {
      serve(frame, context, waiting);
    } else if (frame.kind == FrameKind::result && frame.id == id) {
      pass_on_output(false);
      return frame.payload;
    } else if (frame.kind == FrameKind::thrown && frame.id == id) {
      pass_on_output(false);
      rethrow(frame.payload);
    } else {
      well_formed([&] { note(frame); });
    }
  }
}

void ComponentProcess::note(const Frame& frame) {
  WireReader in(frame.payload);
  if (frame.kind == FrameKind::log) {
    const auto level = in.take<LogLevel>();
    host_.log(level, in.take<std::string>());
  } else if (frame.kind == FrameKind::progress) {
    const auto what = in.take<std::string>();
    const auto done = in.take<std::uint64_t>();
    host_.progress(what, done, in.take<std::uint64_t>());
  } else {
    throw Error(ErrorCode::plugin, "a message out of turn");
  }
}

void ComponentProcess::rethrow(const std::string& payload) {
  const auto thrown = well_formed([&] { return unpacked<Thrown>(payload); });
  if (thrown.what == Thrown::What::framework) {
    std::exception_ptr failure;
    {
      const std::scoped_lock lock(failures_mutex_);
      failure = failures_[thrown.ask];
    }
    if (failure) std::rethrow_exception(failure);
  }
  if (thrown.what == Thrown::What::foreign) throw CallFailed{thrown.message};
  throw Error(static_cast<ErrorCode>(thrown.code), thrown.message);
}

void ComponentProcess::serve(const Frame& ask, EvaluationContext* context, WaitingThreads& waiting) {
  if (well_formed([&] { return WireReader(ask.payload).take<Operation>(); }) == Operation::context_judge) {
    waiting.run([this, ask, context] { answer(ask, context); });
  } else {
    answer(ask, context);
  }
}

void ComponentProcess::answer(const Frame& ask, EvaluationContext* context) {
  try {
    WireReader in(ask.payload);
    const auto operation = in.take<Operation>();
    send(FrameKind::answer, ask.id, services_.serve(operation, in, context, [&](const std::string& part) {
      send(FrameKind::streamed, ask.id, part);
    }));
  } catch (...) {
    {
      const std::scoped_lock lock(failures_mutex_);
      failures_[ask.id] = std::current_exception();
    }
    send(FrameKind::refusal, ask.id, packed(caught("the framework")));
  }
}

// Waits for it, as long as the process shows signs of life. Time in which the framework works for it, or in which this
// process was stopped, does not count.
Frame ComponentProcess::next_frame(const std::string& during, WaitingThreads& waiting) {
  Clock::duration quiet{};
  for (;;) {
    if (auto frame = well_formed([&] { return socket_->next(); })) return std::move(*frame);
    const auto before = Clock::now();
    std::array<pollfd, 3> watched{pollfd{socket_->descriptor(), POLLIN, 0}, pollfd{child_->outputs()[0], POLLIN, 0},
                                  pollfd{child_->outputs()[1], POLLIN, 0}};
    ::poll(watched.data(), watched.size(), static_cast<int>(kSlice.count()));
    if ((watched[1].revents | watched[2].revents) != 0) pass_on_output(false);
    const bool over = watched[0].revents == 0 && child_->ended();
    const bool open = socket_->read();
    if (auto frame = well_formed([&] { return socket_->next(); })) return std::move(*frame);
    if (!open || over) died(during);
    quiet += std::min<Clock::duration>(Clock::now() - before, 2 * kSlice);
    if (waiting.busy()) quiet = {};
    if (quiet > std::chrono::duration<double>(subject_.call_timeout)) hung(during);
    if (told_to_stop_ && quiet > kToStop) stop_now();
    if (!told_to_stop_ && host_.cancelled()) {
      told_to_stop_ = true;
      quiet = {};
      send(FrameKind::cancel, 0, {});
    }
  }
}

void ComponentProcess::died(const std::string& during) {
  const auto until = Clock::now() + kForItsEnd;
  while (!child_->ended() && Clock::now() < until) std::this_thread::sleep_for(milliseconds(1));
  const bool ended = child_->ended();
  child_->stop_all(SIGKILL);
  pass_on_output(true);
  const std::string how = ended ? how_it_ended(*child_) : "closed its connection and was killed";
  throw CallFailed{fmt::format("{} {} in {}{}", who(), how, during, last_words(child_->errors()))};
}

void ComponentProcess::hung(const std::string& during) {
  child_->stop_all(SIGKILL);
  pass_on_output(true);
  throw CallFailed{
      fmt::format("{} gave no sign of life for {} s in {} and was killed; `call_timeout` lets it have more{}", who(),
                  subject_.call_timeout, during, last_words(child_->errors())),
      true};
}

// The run stops with what it has; this call is one of those that are made again.
void ComponentProcess::stop_now() {
  child_->stop_all(SIGKILL);
  usable_ = false;
  throw Cancelled{};
}

void ComponentProcess::pass_on_output(bool all) {
  for (const std::string& line : child_->lines()) host_.log(LogLevel::info, subject_.title() + ": " + line);
  line_ += child_->new_errors();
  if (all && !line_.empty() && line_.back() != '\n') line_ += '\n';
  std::size_t start = 0;
  for (std::size_t end; (end = line_.find('\n', start)) != std::string::npos; start = end + 1) {
    if (end > start) host_.log(LogLevel::info, subject_.title() + ": " + line_.substr(start, end - start));
  }
  line_.erase(0, start);
}

}  // namespace plumb
