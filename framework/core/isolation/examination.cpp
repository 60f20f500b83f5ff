#include "framework/core/isolation/examination.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>
#include <thread>

#include "framework/core/artifacts/descriptor.h"
#include "framework/core/isolation/component_program.h"
#include "framework/core/isolation/frames.h"
#include "framework/core/isolation/thrown.h"
#include "framework/core/isolation/wire.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{60};  // for one plugin to open and one rule to run, on a busy disk
constexpr std::chrono::seconds kForItsEnd{5};  // of a process that closed its socket

std::string title(const KnownComponent& component) {
  return fmt::format("plugin {} {} ({})", component.plugin->id, component.plugin->version,
                     component.plugin->file.string());
}

// One process that opens plugins.
class Examiner {
 public:
  Examiner() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw Error(ErrorCode::run_failed, fmt::format("no connection to a process that opens plugins: {}",
                                                     std::generic_category().message(errno)));
    }
    socket_ = std::make_unique<FrameSocket>(ends[0]);
    const Descriptor theirs(ends[1]);
    child_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{component_program().string(), "the plugins of a recipe"}, theirs.get());
  }
  Examiner(const Examiner&) = delete;
  Examiner& operator=(const Examiner&) = delete;
  ~Examiner() { child_->stop_all(SIGKILL); }

  // Nothing when the process ended, or had to be ended, instead of answering; why() says how.
  std::optional<Finding> ask(const Examination& subject) {
    const KnownComponent& component = *subject.component;
    socket_->send(FrameKind::examine, ++asked_,
                  packed(component.plugin->file.string(), component.info.kind, component.info.name, subject.params),
                  [] { return false; });
    try {
      const std::optional<Frame> frame = answer();
      if (!frame) return std::nullopt;
      if (frame->kind == FrameKind::result) {
        std::string broken = unpacked<std::string>(frame->payload);
        if (broken.empty()) return Finding{};
        return Finding{Finding::What::rule, std::move(broken)};
      }
      return Finding{Finding::What::plugin, unpacked<Thrown>(frame->payload).message};
    } catch (const Error& malformed) {
      why_ = malformed.what();
      return std::nullopt;
    }
  }

  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  std::optional<Frame> answer() {
    const auto until = Clock::now() + kPatience;
    for (;;) {
      while (auto frame = socket_->next()) {
        const bool about_this = frame->kind == FrameKind::result || frame->kind == FrameKind::thrown;
        if (about_this && frame->id == asked_) return frame;
      }
      std::array<pollfd, 3> watched{pollfd{socket_->descriptor(), POLLIN, 0}, pollfd{child_->outputs()[0], POLLIN, 0},
                                    pollfd{child_->outputs()[1], POLLIN, 0}};
      ::poll(watched.data(), watched.size(), 100);
      static_cast<void>(child_->lines());  // what plugins print is not shown unless they fail
      const bool over = watched[0].revents == 0 && child_->ended();
      if (const bool open = socket_->read(); !open || over) {
        if (auto last = socket_->next()) return last;
        note_end();
        return std::nullopt;
      }
      if (Clock::now() > until) {
        child_->stop_all(SIGKILL);
        why_ = fmt::format("its code gave no sign of life for {} s and was killed{}", kPatience.count(),
                           last_words(child_->errors()));
        return std::nullopt;
      }
    }
  }

  void note_end() {
    const auto until = Clock::now() + kForItsEnd;
    while (!child_->ended() && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::string how = child_->ended() ? how_it_ended(*child_) : "closed its connection";
    child_->stop_all(SIGKILL);
    why_ = fmt::format("the process that opened it {}{}", how, last_words(child_->errors()));
  }

  std::unique_ptr<FrameSocket> socket_;
  std::unique_ptr<ChildProcess> child_;
  std::uint64_t asked_ = 0;
  std::string why_;
};

}  // namespace

std::vector<Finding> examine(const std::vector<Examination>& subjects) {
  std::vector<Finding> findings;
  std::unique_ptr<Examiner> examiner;
  std::set<const PluginCandidate*> failed;
  for (const Examination& subject : subjects) {
    if (failed.count(subject.component->plugin) != 0) {
      findings.emplace_back();
      continue;
    }
    if (examiner == nullptr) examiner = std::make_unique<Examiner>();
    std::optional<Finding> finding = examiner->ask(subject);
    if (!finding) {
      finding = Finding{Finding::What::plugin, title(*subject.component) + ": " + examiner->why()};
      examiner.reset();
    }
    if (finding->what == Finding::What::plugin) failed.insert(subject.component->plugin);
    findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace plumb
