// Loading the library and letting it register.
#include <ctime>

#include "sdk/check/context.h"
#include "sdk/check/process_state.h"

namespace plumb::check {
namespace {

void opens(Context& c) {
  c.library();
}

void entry(Context& c) {
  const abi::PluginEntry& found = c.entry();
  require(found.fingerprint == c.subject.fingerprint,
          "its entry says \"" + std::string(found.fingerprint) + "\", its note \"" + c.subject.fingerprint + "\"");
  require(found.manifest == c.subject.manifest, "the manifests of its entry and of its note differ");
}

void registers(Context& c) {
  require(!c.registrar().entries().empty(), "it registers no component");
}

std::string described(const Registrar& registrar) {
  std::string out;
  for (const auto& known : registrar.entries()) out += to_json(describe(known->info)) + "\n";
  return out;
}

void matches_schema(Context& c) {
  std::string listed;
  for (const ComponentInfo& info : c.subject.components) listed += to_json(describe(info)) + "\n";
  require(described(c.registrar()) == listed,
          "it registers other components or parameters than its schema says; run plumb-describe on it");
}

void repeats(Context& c) {
  const std::string first = described(c.registrar());
  require(described(*register_components(c.entry())) == first, "registering a second time gives other components");
}

void quiet(Context& c) {
  const State before = process_state();
  const auto files = open_files();
  const std::size_t threads = thread_count();
  std::string said;
  {
    CapturedOutput output;
    c.registrar();
    said = output.text();
  }
  require(said.empty(), "loading it prints \"" + said.substr(0, 200) + "\"");
  const std::string changed = difference(before, process_state());
  require(changed.empty(), "loading it changes the process: " + changed);
  require(thread_count(threads) <= threads, "loading it starts a thread");
  const std::string left = opened(files, open_files());
  require(left.empty(), "loading it leaves open " + left);
}

// Processor time, so that a busy machine changes nothing.
void quick(Context& c) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  c.registrar();
  const double took = now() - start;
  require(took < 0.5, "loading it takes " + exact(took) + " s of processor time; wanted less than 0.5 s");
}

}  // namespace

std::vector<Test> load_tests() {
  return {
      {"load.opens", "the library opens with every symbol bound", opens, true},
      {"load.entry", "the entry says what the note says", entry, true},
      {"load.registers", "components register without an error", registers, true},
      {"load.quick", "loading takes less than half a second of processor time", quick, true},
      {"load.matches-schema", "what it registers is what NAME.schema.json lists", matches_schema, true},
      {"load.repeats", "registering again gives the same", repeats},
      {"load.quiet", "loading prints nothing, starts nothing, opens nothing, changes nothing", quiet},
  };
}

}  // namespace plumb::check
