// Code that serves every stage kind and every plugin names none: a new kind or algorithm is added without a change
// there. What is a kind's own is in framework/core/kinds, framework/engine/stages and catalogue/settings.h.
#include <algorithm>
#include <regex>
#include <set>

#include "framework/core/catalogue/stage.h"
#include "tests/plugins/plugin_files.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

const char* const kGeneric[] = {
    "framework/core/artifacts",  "framework/core/ranks",         "framework/core/telemetry",
    "framework/core/data",       "framework/core/catalogue",     "framework/core/door",
    "framework/core/registry",   "framework/core/isolation",     "framework/core/components",
    "framework/core/recipe",     "framework/core/evaluation",    "framework/core/report",
    "framework/core/pipeline",   "framework/core/sweep",         "framework/engine/distributed",
    "framework/engine/nccl",     "framework/engine/modeling",    "framework/engine/rollout",
    "framework/engine/training", "framework/engine/certificate", "tools/cli",
};

// A word that means something else where it stands.
struct Elsewhere {
  const char* file;
  const char* word;
  const char* meaning;
};
constexpr Elsewhere kElsewhere[] = {
    {"framework/core/evaluation/reward_gaps.cpp", "eta", "a column of gaps.json: the threshold through the sigmoid"},
    {"framework/core/evaluation/reward_gaps.cpp", "tau", "a column of gaps.json: the scale of that sigmoid"},
    {"framework/core/evaluation/reward_gaps.cpp", "delta", "a column of gaps.json: the threshold on raw gaps"},
    {"framework/core/data/chat_format.cpp", "oasst", "a chat format"},
    {"framework/core/data/chat_format.cpp", "alpaca", "a chat format"},
    {"framework/engine/rollout/random_models.h", "llama2", "the model of tests"},
    {"tools/cli/stats.cpp", "alpaca-eval", "a benchmark, whose files `plumb stats` reads"},
    {"tools/cli/stats.cpp", "mt-bench", "a benchmark, whose files `plumb stats` reads"},
};

struct Found {
  std::string file, word, line;
};

// The literals of a line's code.
std::vector<std::string> literals(std::string line) {
  if (const auto comment = line.find("//"); comment != std::string::npos && line.find('"') > comment) return {};
  std::vector<std::string> out;
  static const std::regex literal("\"((?:[^\"\\\\]|\\\\.)*)\"");
  for (std::sregex_iterator at(line.begin(), line.end(), literal), end; at != end; ++at) out.push_back((*at)[1]);
  return out;
}

template <class Wrong>
std::vector<Found> search(Wrong&& wrong) {
  std::vector<Found> out;
  for (const char* folder : kGeneric) {
    const fs::path root = fs::path(PLUMB_SOURCE_DIR) / folder;
    BOOST_REQUIRE_MESSAGE(fs::is_directory(root), root);
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const std::string name = entry.path().filename().string();
      const bool source = name.ends_with(".cpp") || name.ends_with(".h");
      if (!source || name.ends_with("_test.cpp") || name.starts_with("test_")) continue;
      const std::string file = entry.path().lexically_relative(PLUMB_SOURCE_DIR).string();
      if (file == "framework/core/catalogue/settings.h") continue;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        for (const std::string& word : literals(line)) {
          const bool known = std::any_of(std::begin(kElsewhere), std::end(kElsewhere),
                                         [&](const Elsewhere& e) { return file == e.file && word == e.word; });
          if (!known && wrong(word, line)) out.push_back({file, word, line});
        }
      }
    }
  }
  return out;
}

void none(const std::vector<Found>& found, const char* what) {
  for (const Found& one : found)
    BOOST_ERROR(one.file << " names the " << what << " `" << one.word << "`: " << one.line);
}

const Registry& built_in() {
  static const Registry registry = Registry::scan(PluginSearch::standard());
  return registry;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(generic_code)

// Where a line speaks of kinds: most names of kinds are words of other things, too.
BOOST_AUTO_TEST_CASE(names_no_stage_kind) {
  std::set<std::string> kinds;
  for (const StageKind& kind : stage_catalogue()) kinds.insert(kind.kind);
  BOOST_TEST(kinds.size() > 10U);
  none(search([&](const std::string& word, const std::string& line) {
         static const std::regex speaks("stage_kind|stage_catalogue|kind->kind|\\bkind *[!=]=|at\\(\"kind\"\\)");
         return kinds.count(word) != 0 && std::regex_search(line, speaks);
       }),
       "stage kind");
}

BOOST_AUTO_TEST_CASE(names_no_component) {
  std::set<std::string> names;
  for (const PluginCandidate& plugin : built_in().candidates()) {
    for (const ComponentInfo& info : plugin.components) names.insert(info.name);
  }
  BOOST_TEST(names.count("reward-gap") == 1U);
  none(search([&](const std::string& word, const std::string&) { return names.count(word) != 0; }), "component");
}

BOOST_AUTO_TEST_CASE(names_no_parameter_of_an_algorithm) {
  std::set<std::string> params;
  for (const char* kind : {"selection-policy", "optimizer"}) {
    for (const KnownComponent* component : built_in().all(kind)) {
      for (const ParamInfo& info : component->info.params) params.insert(info.name);
    }
  }
  BOOST_TEST(params.count("eta") == 1U);
  for (const StageKind& kind : stage_catalogue()) {
    for (const ParamInfo& info : kind.params) params.erase(info.name);
  }
  none(search([&](const std::string& word, const std::string&) { return params.count(word) != 0; }),
       "parameter of an algorithm");
}

BOOST_AUTO_TEST_SUITE_END()
