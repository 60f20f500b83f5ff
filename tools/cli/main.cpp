// The command `plumb`: finds the verb, runs it, and is the one place that turns an Error into text and an exit status.
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>

#include "framework/core/pipeline/guardian.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/registry/fingerprint.h"
#include "framework/core/telemetry/output.h"
#include "plumb/error.h"
#include "plumb/params.h"
#include "tools/cli/verb.h"

namespace {

using plumb::Error;
using plumb::ErrorCode;
using plumb::cli::Verb;
using plumb::cli::verbs;

void print_help(std::ostream& out) {
  out << "usage: plumb VERB [arguments]\n\nAligns language models: a recipe wires plugins into stages.\n\n";
  std::size_t width = 0;
  for (const Verb& verb : verbs()) width = std::max(width, std::strlen(verb.name));
  for (const Verb& verb : verbs()) {
    out << "  " << verb.name << std::string(width + 2 - std::strlen(verb.name), ' ') << verb.summary << "\n";
  }
  out << "\n`plumb VERB --help` says more of each. `plumb --version` prints the version.\n"
         "Exit status: 0 ok, 1 run failed, 2 recipe or usage, 3 some arms failed, 4 data or input/output, 5 plugin,\n"
         "75 preempted (the same command goes on), 130 interrupted.\n";
}

int dispatch(int argc, char** argv) {
  if (argc < 2) {
    print_help(std::cerr);
    return static_cast<int>(ErrorCode::recipe);
  }
  const std::string word = argv[1];
  if (word == "--help" || word == "-h" || word == "help") {
    print_help(std::cout);
    return 0;
  }
  if (word == "--version") {
    std::cout << "plumb " PLUMB_VERSION "\n" << plumb::host_fingerprint() << "\n";
    return 0;
  }
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) {
    if (word == verb.name) return verb.run(argc - 1, argv + 1);
    names.emplace_back(verb.name);
  }
  const std::string nearest = plumb::nearest_name(word, names);
  throw Error(ErrorCode::recipe, "there is no verb `" + word + "`" +
                                     (nearest.empty() ? "; see `plumb --help`" : "; did you mean `" + nearest + "`?"));
}

// Ends with the exit status of the error that is being handled.
int report_error() {
  try {
    throw;
  } catch (const Error& error) {
    std::cerr << "plumb: " << error.what() << "\n";
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    std::cerr << "plumb: out of memory"
              << "\n";
  } catch (const std::exception& error) {
    std::cerr << "plumb: internal error: " << error.what() << "\n";
  }
  return static_cast<int>(ErrorCode::run_failed);
}

// Everything but the process that watches over it.
int work(int argc, char** argv) {
  try {
    const int status = dispatch(argc, argv);
    if (std::cout.flush() && plumb::unfiltered_output().flush()) return status;
    if (plumb::interruption() == SIGPIPE) return 128 + SIGPIPE;  // as when nobody had caught it
    throw Error(ErrorCode::data, "standard output could not be written; is the disk full?");
  } catch (...) {
    return report_error();
  }
}

bool runs_plugins_for_long(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == "run";
}

}  // namespace

int main(int argc, char** argv) {
  const plumb::FilteredOutput filtered;
  if (runs_plugins_for_long(argc, argv)) return plumb::run_guarded([&] { return work(argc, argv); });
  return work(argc, argv);
}
