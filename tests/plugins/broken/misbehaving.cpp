// A plugin that leaves a trace when any of its code runs, and fails where the environment tells it to. The tests build
// it for this SDK and, by overriding the fingerprint's fields, for others.
#include <plumb/plugin.h>
#include <plumb/selection_policy.h>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace {

bool told(const char* what) {
  const char* fault = std::getenv("PLUMB_TEST_FAULT");
  return fault != nullptr && std::string(fault) == what;
}

struct Trace {
  Trace() {
    if (const char* file = std::getenv("PLUMB_TEST_TRACE")) std::ofstream(file) << "a static initialiser ran\n";
    if (told("load-exit")) ::_exit(0);
    if (told("load-crash")) std::raise(SIGSEGV);
  }
} trace;

class Idle final : public plumb::SelectionPolicy {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"select nothing"};
    p.check([](const Settings&) -> std::string {
      if (told("rule")) return "nothing can be selected today";
      if (told("rule-throws")) throw std::runtime_error("no rule book found");
      if (told("rule-aborts")) {
        std::fputs("the rule book burns\n", stderr);
        std::abort();
      }
      return {};
    });
    return p;
  }
  Idle(const Settings&, plumb::Host&) {
    if (told("make")) throw std::runtime_error("no licence found");
    if (told("make-with-number")) throw 42;
    if (told("make-with-error")) throw plumb::Error(plumb::ErrorCode::data, "idle.txt: no such file");
  }
  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup&, plumb::Random) const override { return {}; }
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.misbehaving", "1.0.0", "Apache-2.0", "fails on request") {
  if (told("open")) throw std::runtime_error("the sky is falling");
  if (told("open-with-number")) throw 42;
  registrar.add<Idle>("idle").yields({"pairs"});
  if (told("undescribed")) registrar.add<Idle>("surprise");
}
