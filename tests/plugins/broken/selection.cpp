// A selection policy with defects of every kind that does not need tensors: when it is loaded, described, made, asked
// and destroyed.
#include <fcntl.h>
#include <plumb/plugin.h>
#include <plumb/selection_policy.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <clocale>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>

#include "defect.h"

using defect::broken;

// Local by the version script, except where a test links another one.
extern "C" __attribute__((visibility("default"), used, retain)) int plumb_test_stray() {
  return 1;
}
template <class T>
struct __attribute__((visibility("default"))) Shared {
  static inline int count = 0;
};
extern "C" __attribute__((used, retain, visibility("hidden"))) int plumb_test_use_shared() {
  return ++Shared<int>::count;
}

namespace {

volatile int zero = 0;

void crash() {
  *reinterpret_cast<volatile int*>(static_cast<std::intptr_t>(zero)) = 1;
}

void hang() {
  while (zero == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void burn_time() {
  timespec time{};
  do {
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  } while (time.tv_sec == 0 && time.tv_nsec < 600'000'000);
}

struct AtLoad {
  AtLoad() {
    if (broken("load-crash")) crash();
    if (broken("load-exit")) std::exit(3);
    if (broken("load-hang")) hang();
    if (broken("load-slow")) burn_time();
    if (broken("load-noise")) std::puts("welcome");
    if (broken("load-locale")) std::setlocale(LC_NUMERIC, "C.UTF-8");
    if (broken("load-thread")) std::thread([] { hang(); }).detach();
    if (broken("load-terminate-handler")) std::set_terminate([] { std::_Exit(1); });
  }
  ~AtLoad() {
    if (broken("exit-crash") && used) crash();
    if (broken("exit-hang") && used) hang();
  }
  bool used = false;
} at_load;

std::atomic<int> inside{0}, made{0}, destroyed{0}, asked{0};

class Best final : public plumb::SelectionPolicy {
 public:
  struct Settings {
    double above = broken("default-not-finite") ? NAN : 0.5;
    std::int64_t most = broken("next-default") ? 5 : 4;
    std::int64_t seed = 0;
    std::string order = "reward";
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{broken("undocumented") ? "" : "the best response against the others"};
    p.add(&Settings::above,
          broken("parameter-name")          ? "Above It"
          : broken("parameter-called-name") ? "name"
                                            : "above",
          "the largest gap that is dropped")
        .at_least(broken("default-out-of-range") ? 0.75 : 0)
        .at_most(broken("next-narrows") ? 5 : 10);
    if (broken("parameter-twice")) p.add(&Settings::above, "above", "the same again");
    if (broken("next-requires")) p.add(&Settings::seed, "seed", "of nothing").required();
    if (!broken("next-removes"))
      p.add(&Settings::most, "most", broken("undocumented-parameter") ? "" : "pairs of a prompt")
          .at_least(1)
          .at_most(100);
    p.add(&Settings::order, "order", "by what")
        .choices(broken("default-no-choice") ? std::vector<std::string>{"length"}
                 : broken("next-choices")    ? std::vector<std::string>{"reward"}
                                             : std::vector<std::string>{"reward", "length"});
    p.check([](const Settings& s) -> std::string {
      if (broken("rule-throws") && s.most > 10) throw std::logic_error("no rule for that many");
      return {};
    });
    return p;
  }

  Best(const Settings& settings, plumb::Host&) : settings_(settings), own_(std::this_thread::get_id()) {
    ++made;
    at_load.used = true;
    if (broken("make-throws")) throw std::runtime_error("no licence found");
    if (broken("make-throws-number")) throw 42;
    if (broken("make-crash")) crash();
    if (broken("parameter-crash") && settings.most > 20) crash();
    if (broken("parameter-throws") && settings.above > 2) throw std::bad_function_call();
    if (broken("few-instances") && made > 90) throw std::runtime_error("too many instances");
    change_the_process();
    if (broken("leak")) leaked_ = new std::string(200, 'x');
    if (broken("file-left-open")) file_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (broken("thread-left")) {
      static const bool once = [] {
        std::thread([] { hang(); }).detach();
        return true;
      }();
      static_cast<void>(once);
    }
  }

  ~Best() override {
    ++destroyed;
    if (broken("thread-bound") && std::this_thread::get_id() != own_) std::abort();
  }

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    misbehave(group);
    const bool crowded = ++inside > 1 && broken("race");
    plumb::Selection out = choose(group);
    if (broken("race")) std::this_thread::sleep_for(std::chrono::microseconds(50));
    --inside;
    if (crowded) out.pairs.clear();
    spoil(group, out);
    if (broken("own-dice") && !out.audit.empty()) out.audit.front().gap += 1e-20 * std::random_device()();
    if (broken("remembers") && asked++ % 7 == 0) out.pairs.clear();
    if (broken("shared-state") && destroyed > 0 && !out.pairs.empty()) out.pairs.pop_back();
    return out;
  }

 private:
  static void change_the_process() {
    if (broken("locale")) std::setlocale(LC_ALL, "C.UTF-8");
    if (broken("folder")) static_cast<void>(chdir("/"));
    if (broken("signal")) std::signal(SIGINT, SIG_IGN);
    if (broken("environment")) setenv("PLUMB_TEST_MARK", "1", 1);
    if (broken("seeds-rand")) std::srand(1);
    if (broken("rounding")) std::fesetround(FE_UPWARD);
    if (broken("umask")) umask(077);
  }

  static void misbehave(const plumb::ResponseGroup& group) {
    if (broken("select-throws")) throw std::out_of_range("index 3");
    if (broken("select-throws-number")) throw 42;
    if (broken("select-crash")) crash();
    if (broken("select-abort")) std::abort();
    if (broken("select-exit")) std::exit(0);
    if (broken("select-hang")) hang();
    if (broken("select-terminate")) std::terminate();
    if (broken("stdout-noise")) std::puts("selecting");
    if (broken("stderr-noise")) std::fputs("selecting\n", stderr);
    if (broken("empty-throws") && group.responses.empty()) throw std::invalid_argument("nothing to select from");
    if (broken("single-crash") && group.responses.size() == 1) crash();
    if (broken("nan-crash") && std::any_of(group.responses.begin(), group.responses.end(),
                                           [](const auto& r) { return std::isnan(*r.reward); }))
      crash();
  }

  [[nodiscard]] plumb::Selection choose(const plumb::ResponseGroup& group) const {
    plumb::Selection out;
    const int count = static_cast<int>(group.responses.size());
    const auto reward = [&](int i) { return *group.responses[static_cast<std::size_t>(i)].reward; };
    int best = -1;
    for (int i = 0; i < count; ++i) {
      if (std::isfinite(reward(i)) && (best < 0 || reward(i) > reward(best))) best = i;
    }
    if (broken("first-is-best") && count > 0) best = 0;
    for (int i = 0; i < count && best >= 0; ++i) {
      if (i == best || !std::isfinite(reward(i))) continue;
      const double gap = reward(best) - reward(i);
      const bool kept = gap > settings_.above;
      out.audit.push_back(
          {{best, i}, broken("audit-gap") ? -gap : gap, broken("audit-kept") ? !kept : kept, kept ? "kept" : "gap"});
      if (kept) out.pairs.push_back({best, i});
    }
    return out;
  }

  static void spoil(const plumb::ResponseGroup& group, plumb::Selection& out) {
    const auto count = static_cast<int>(group.responses.size());
    const bool tied = count == 4 && *group.responses[0].reward == *group.responses[3].reward;
    const int best = out.audit.empty() ? 0 : out.audit.front().pair.chosen;
    if (broken("wrong-index") && count == 9) out.pairs.push_back({count, best});
    if (broken("negative-index") && count == 9) out.pairs.push_back({best, -2});
    if (broken("self-pair") && count == 9) out.pairs.push_back({best, best});
    if (broken("tie-index") && tied) out.pairs.push_back({count, 0});
    if (broken("unannounced") && !out.audit.empty()) {
      out = {};
      out.demonstrations.push_back(best);
    }
  }

  Settings settings_;
  std::thread::id own_;
  std::string* leaked_ = nullptr;
  int file_ = -1;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.broken-selection", "1.0.0", "Apache-2.0", "a policy with a defect of its file's name") {
  static int opened = 0;
  if (broken("open-throws")) throw std::runtime_error("the sky is falling");
  if (broken("open-abort")) std::abort();
  auto added = registrar.add<Best>("best").yields({broken("yields-typo") ? "piars" : "pairs"});
  if (broken("needs-typo")) added.needs({"annotatoin"});
  if (broken("undescribed") || (broken("open-differs") && opened++ > 0))
    registrar.add<Best>("surprise").yields({"pairs"});
}
