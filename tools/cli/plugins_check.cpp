// `plumb plugins check FILE`: the conformance tests of one plugin.
#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>

#include "framework/core/registry/candidate.h"
#include "framework/core/registry/elf_note.h"
#include "framework/core/registry/fingerprint.h"
#include "framework/core/registry/registry.h"
#include "framework/core/telemetry/output.h"
#include "plumb/error.h"
#include "plumb/json_fields.h"
#include "sdk/check/check.h"
#include "tools/cli/plugin_text.h"
#include "tools/cli/plugins.h"
#include "tools/cli/verb.h"

namespace po = boost::program_options;
namespace fs = std::filesystem;

namespace plumb::cli {
namespace {

// The loader's own judgement, sorted by the gate that refused.
check::Subject subject_of(const fs::path& file) {
  check::Subject out;
  const PluginCandidate candidate = inspect_plugin(fs::absolute(file));
  out.file = candidate.file;
  out.id = candidate.id;
  out.version = candidate.version;
  out.licence = candidate.licence;
  out.summary = candidate.summary;
  out.fingerprint = candidate.fingerprint;
  out.components = candidate.components;
  const auto note = read_plugin_note(candidate.file);
  if (note) out.manifest = note->manifest;
  if (candidate.refused.empty()) return out;
  std::error_code error;
  const bool of_note = !note && fs::is_regular_file(candidate.file, error) && candidate.refused == note.error().what();
  const std::string difference = note ? fingerprint_difference(note->fingerprint, host_fingerprint()) : "";
  if (of_note) {
    out.note_problem = candidate.refused;
  } else if (candidate.id.empty()) {
    out.file_problem = candidate.refused;
  } else if (!difference.empty()) {
    out.fingerprint_problem = difference;
  } else {
    out.schema_problem = candidate.refused;
  }
  return out;
}

check::Earlier read_earlier(const fs::path& schema) {
  const Value read = read_json_file(schema.string());
  check::Earlier out{schema.string(), read.at("version").as_string(), {}};
  for (const Value& component : read.at("components").as_list()) out.components.push_back(parse_component(component));
  return out;
}

// The version before: the one that --against names, or the one of the same id that is installed.
std::optional<check::Earlier> earlier_of(const check::Subject& subject, const fs::path& against) {
  if (!against.empty()) return read_earlier(against.extension() == ".json" ? against : schema_file(against));
  if (subject.id.empty()) return std::nullopt;
  std::error_code error;
  const Registry registry = Registry::scan(PluginSearch::standard());
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (candidate.id != subject.id || fs::equivalent(candidate.file, subject.file, error)) continue;
    return check::Earlier{candidate.file.string(), candidate.version, candidate.components};
  }
  return std::nullopt;
}

// Whatever a broken plugin says: one line is enough. Its output may be no UTF-8; ours must be.
std::string brief(const std::string& text) {
  return text.size() <= 600 ? shown(text) : shown(text.substr(0, 600)) + "…";
}

Value to_value(const check::Verdict& verdict) {
  Value out = Value::map({{"test", verdict.test}, {"status", check::status_name(verdict.status)}});
  if (!verdict.component.empty()) out.set("component", verdict.component);
  if (!verdict.message.empty()) out.set("message", brief(verdict.message));
  out.set("seconds", verdict.seconds);
  return out;
}

// Verdicts as they come. Of tests that are skipped for one and the same reason only the first is shown.
class Printer {
 public:
  void operator()(const check::Verdict& verdict) {
    const bool known = verdict.status == check::Status::skipped && verdict.message == reason_;
    if (verdict.status == check::Status::skipped) reason_ = verdict.message;
    if (known) return;
    std::cout << std::left << std::setw(10) << check::status_name(verdict.status) << std::setw(34) << verdict.test
              << verdict.component << "\n";
    if (!verdict.message.empty()) std::cout << "          " << brief(verdict.message) << "\n";
    std::cout << std::flush;
  }

 private:
  std::string reason_;
};

std::map<std::string, std::int64_t> counts(const std::vector<check::Verdict>& verdicts) {
  std::map<std::string, std::int64_t> out{{"passed", 0}, {"skipped", 0}, {"failed", 0}};
  for (const check::Verdict& verdict : verdicts) {
    if (verdict.bad()) {
      ++out["failed"];
    } else {
      ++out[check::status_name(verdict.status)];
    }
  }
  return out;
}

int list_tests() {
  for (const auto& [name, what] : check::all_tests()) {
    std::cout << std::left << std::setw(34) << name << what << "\n";
  }
  return 0;
}

check::Options options_of(const po::variables_map& given) {
  check::Options options;
  options.seed = given["seed"].as<std::uint64_t>();
  options.filter = given["filter"].as<std::string>();
  options.in_process = given.count("in-process") != 0;
  options.timeout = given["timeout"].as<double>();
  if (!(options.timeout > 0)) throw Error(ErrorCode::recipe, "--timeout: wanted a number of seconds above 0");
  const auto params = given["params"].as<std::string>();
  if (!params.empty()) {
    options.params = read_json_file(params);
    if (!options.params.is_map()) throw Error(ErrorCode::recipe, params + ": wanted a map of components to parameters");
    options.params_folder = fs::absolute(params).parent_path();
  }
  return options;
}

int print_result(const check::Subject& subject, const check::Options& options,
                 const std::vector<check::Verdict>& verdicts, bool json) {
  const auto count = counts(verdicts);
  if (json) {
    Value::List tests;
    for (const check::Verdict& verdict : verdicts) tests.push_back(to_value(verdict));
    Value out = Value::map({{"file", subject.file.string()}, {"id", subject.id}, {"version", subject.version}});
    out.set("seed", static_cast<std::int64_t>(options.seed));
    for (const auto& [name, number] : count) out.set(name, number);
    out.set("tests", tests);
    unfiltered_output() << to_json(out, false, 2) << "\n";
  } else {
    std::cout << "\n"
              << (subject.id.empty() ? subject.file.string() : subject.id + " " + subject.version) << ": "
              << count.at("passed") << " passed, " << count.at("failed") << " failed, " << count.at("skipped")
              << " skipped (seed " << options.seed << ")\n";
  }
  if (verdicts.empty()) throw Error(ErrorCode::recipe, "--filter leaves no test");
  return count.at("failed") == 0 ? 0 : static_cast<int>(ErrorCode::plugin);
}

}  // namespace

int run_plugins_check(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("file", po::value<std::string>(), "the plugin, NAME.plumb.so")  //
      ("json", "print JSON")                                                            //
      ("seed", po::value<std::uint64_t>()->default_value(1), "of everything that is drawn")(
          "filter", po::value<std::string>()->default_value(""),
          "run only tests whose name or component matches this regular expression")(
          "params", po::value<std::string>()->default_value(""),
          "a JSON file of parameters by component, for those that need files; paths start at its folder")(
          "timeout", po::value<double>()->default_value(8), "seconds for one test")(
          "against", po::value<std::string>()->default_value("")->value_name("SCHEMA"),
          "NAME.schema.json of an earlier version, whose recipes are to stay valid; else the installed one's")(
          "in-process", "no child processes and no time limit: for a debugger")("list",
                                                                                "print the tests and what each checks");
  const auto given =
      parse_verb(argc, argv,
                 {"FILE [--filter REGEX] [--seed N] [--params FILE] [--against SCHEMA] [--json]",
                  "Runs the conformance tests on a plugin, each in a process of its own, so that a crash\n"
                  "or an endless loop is a result like any other. What builds on a test that failed is\n"
                  "skipped. Exit status 0 when none failed, 5 otherwise."},
                 options, {"file"});
  if (!given) return 0;
  if (given->count("list") != 0) return list_tests();
  if (given->count("file") == 0)
    throw Error(ErrorCode::recipe, "an argument is missing; see `plumb plugins check --help`");
  const bool json = given->count("json") != 0;
  const check::Subject subject = subject_of((*given)["file"].as<std::string>());
  check::Options chosen = options_of(*given);
  chosen.earlier = earlier_of(subject, (*given)["against"].as<std::string>());
  Printer printer;
  const auto verdicts = check::run(subject, chosen, [&](const check::Verdict& verdict) {
    if (!json) printer(verdict);
  });
  return print_result(subject, chosen, verdicts, json);
}

}  // namespace plumb::cli
