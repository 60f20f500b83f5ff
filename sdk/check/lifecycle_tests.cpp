// What a component leaves behind: nothing.
#include <algorithm>
#include <chrono>

#include "sdk/check/context.h"
#include "sdk/check/process_state.h"

namespace plumb::check {
namespace {

void silent(Context& c) {
  c.registrar();
  CapturedOutput output;
  c.make_and_use();
  const std::string said = output.text();
  require(said.empty(), "it prints \"" + said.substr(0, 200) + "\"; use Host::log");
}

void state(Context& c) {
  c.registrar();
  const State before = process_state();
  c.make_and_use();
  const std::string changed = difference(before, process_state());
  require(changed.empty(), "it changes the process: " + changed);
}

void threads(Context& c) {
  c.registrar();
  const std::size_t before = thread_count();
  c.make_and_use();
  require(thread_count(before) <= before, "a thread of it still runs after it was destroyed");
}

void files(Context& c) {
  c.registrar();
  c.make_and_use();  // what the libraries below keep open for ever
  const auto before = open_files();
  for (int i = 0; i < 3; ++i) c.make_and_use();
  const std::string left = opened(before, open_files());
  require(left.empty(), "it leaves open " + left);
}

// Memory that grows with every use, and goes on growing, is lost.
void memory(Context& c) {
#if defined(__SANITIZE_ADDRESS__)
  throw Skip{"the address sanitizer's allocator does not count; its leak check does this"};
#endif
  // Up to 64 uses as far as they fit in a tenth of the time limit, and three times as many again.
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> share(c.options.timeout / 10);
  std::size_t cycles = 0;
  do {
    c.make_and_use();
    ++cycles;
  } while (cycles < 16 || (cycles < 64 && std::chrono::steady_clock::now() - start < share));
  const auto growth = [&] {
    const std::size_t before = allocated_bytes();
    for (std::size_t i = 0; i < cycles; ++i) c.make_and_use();
    return static_cast<double>(allocated_bytes()) - static_cast<double>(before);
  };
  // The allocator's caches count as allocated; with pieces of many sizes they take a while to fill.
  double lost = growth();
  for (int i = 0; i < 4 && lost >= 24 * static_cast<double>(cycles); ++i) lost = std::min(lost, growth());
  lost /= static_cast<double>(cycles);
  require(lost < 24, "every use loses " + exact(lost) + " bytes");  // the allocator's smallest piece has 32
}

void ends(Context& c) {
  c.make_and_use();
  c.exit_normally = true;
}

}  // namespace

std::vector<Test> lifecycle_tests() {
  return {
      {"lifecycle.silent", "prints nothing", silent},
      {"lifecycle.state", "leaves locale, folder, environment, signals, floating point and random state alone", state},
      {"lifecycle.threads", "its threads have ended when it is destroyed", threads},
      {"lifecycle.files", "leaves no file open", files},
      {"lifecycle.memory", "gives back its memory", memory},
      {"lifecycle.ends", "the process can end normally after it was used", ends},
  };
}

}  // namespace plumb::check
