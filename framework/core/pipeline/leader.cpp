#include "framework/core/pipeline/leader.h"

#include <fmt/format.h>

#include <boost/dll/runtime_symbol_info.hpp>
#include <chrono>
#include <set>
#include <thread>

#include "framework/core/artifacts/disk.h"
#include "framework/core/door/engine.h"
#include "framework/core/door/ranks.h"
#include "framework/core/pipeline/stage_threads.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/registry/fingerprint.h"

namespace plumb {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto kShared = 30s;   // for a file to be seen by all ranks
constexpr auto kLook = 5ms;     // between two looks at the board
constexpr auto kParting = 10s;  // for the others to see that the run is over

const std::map<std::string, std::string> wanted_of{
    {"code", "the same build of plumb on all machines"},
    {"recipe", "the same recipe, --set options and files beside it on all machines"},
    {"plugins", "the same plugin files on all machines"}};

std::string sees(const fs::path& file, const std::string& wanted) {
  const auto until = std::chrono::steady_clock::now() + kShared;
  for (;;) {
    const Result<std::string> text = read_file(file);
    if (text && *text == wanted) return {};
    if (std::chrono::steady_clock::now() > until) {
      return text ? "another content of the file" : std::string(text.error().what());
    }
    std::this_thread::sleep_for(100ms);
  }
}

void require_shared(RankGroup& group, const fs::path& runs) {
  fs::path file;
  std::string nonce;
  if (group.leads()) {
    nonce = fmt::format("{}-{}", std::chrono::system_clock::now().time_since_epoch().count(), group.who(0));
    file = runs / (".ranks-" + sha256_of(nonce).substr(0, 16));
    std::error_code ignored;
    fs::create_directories(runs, ignored);
    write_file(file, nonce).value();
  }
  const std::string name = group.broadcast_text(file.filename().string());
  nonce = group.broadcast_text(nonce);
  const std::vector<std::string> problems = group.gather_texts(group.leads() ? "" : sees(runs / name, nonce));
  if (group.leads()) {
    std::error_code ignored;
    fs::remove(file, ignored);
  }
  for (std::size_t rank = 0; rank < problems.size(); ++rank) {
    if (problems[rank].empty()) continue;
    throw Error(
        ErrorCode::data,
        fmt::format("{} is not shared between the ranks: rank {} ({}) does not find what rank 0 ({}) wrote there "
                    "({}). Give --runs a folder that all machines see",
                    fs::absolute(runs).string(), rank, group.who(static_cast<int>(rank)), group.who(0),
                    problems[rank]));
  }
}

}  // namespace

namespace call {
std::string stage(int number) {
  return fmt::format("stage/{}", number);
}
std::string done(int number, int rank) {
  return fmt::format("done/{}/{}", number, rank);
}
std::string gone(int rank) {
  return fmt::format("gone/{}", rank);
}
}  // namespace call

Value facts_of(const Recipe& recipe) {
  std::map<std::string, std::string> used;
  for (const StageSpec& stage : recipe.stages) {
    for (const ComponentUse& use : stage.components) used[use.component->plugin->id] = use.component->plugin->sha256();
  }
  Value plugins = Value::map();
  for (const auto& [id, sha256] : used) plugins.set(id, sha256);
  const fs::path here = boost::dll::this_line_location().parent_path().string();
  Value code = Value::map({{"fingerprint", host_fingerprint()}});
  for (const char* file : {"libplumb_core.so", "libplumb_engine.so"}) {
    code.set(file, sha256_of_file(here / file).value());
  }
  return Value::map(
      {{"code", std::move(code)}, {"recipe", sha256_of(write_recipe(recipe))}, {"plugins", std::move(plugins)}});
}

void agree(RankGroup& group, const Value& facts, const fs::path& runs) {
  const std::vector<std::string> all = group.gather_texts(to_json(facts, true));
  const Value wanted = parse_json(all.front());
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    const Value found = parse_json(all[rank]);
    for (const auto& [name, value] : wanted.as_map()) {
      if (found.at(name) == value) continue;
      throw Error(ErrorCode::recipe,
                  fmt::format("the ranks differ in their {}: rank {} ({}) has {}, rank 0 ({}) has {}; wanted {}", name,
                              rank, group.who(static_cast<int>(rank)), to_json(found.at(name)), group.who(0),
                              to_json(value), wanted_of.at(name)));
    }
  }
  require_shared(group, runs);
}

void Leader::agree(const Recipe& recipe, const fs::path& runs) {
  plumb::agree(group_, facts_of(recipe), runs);
}

void Leader::run(const StageTask& task) {
  group_.require_all();
  if (task.kind.body || !works_on_ranks(task.kind.kind)) return here_->run(task);
  const Engine& engine = Engine::open();
  StageContext& context = task.context;
  const StageThreads threads(engine, context.work_folder(),
                             [&](const std::string& note) { context.log(LogLevel::info, note); });
  Value inputs = Value::map();
  for (const auto& [stage, folder] : task.inputs) inputs.set(stage, fs::absolute(folder).string());
  const int number = stages_++;
  group_.post(call::stage(number), to_json(Value::map({{"stage", context.name()},
                                                       {"folder", fs::absolute(context.folder()).string()},
                                                       {"work", fs::absolute(context.work_folder()).string()},
                                                       {"threads", threads.count()},
                                                       {"inputs", std::move(inputs)}})));
  {
    const WorkInRanks scope(group_);
    engine.body(task.kind.kind)(context);
  }
  for (int rank = 1; rank < group_.world(); ++rank) {  // they read what lies in the folders until here
    while (!group_.posted(call::done(number, rank))) {
      group_.require_all();
      std::this_thread::sleep_for(kLook);
    }
  }
  context.summarise("threads", threads.count());
  context.summarise("ranks", group_.world());
}

Value Leader::record() {
  Value::List processes;
  for (int rank = 0; rank < group_.world(); ++rank) processes.emplace_back(group_.who(rank));
  return Value::map({{"world", group_.world()}, {"launcher", place_.launcher}, {"processes", std::move(processes)}});
}

void Leader::end(int status) {
  try {
    group_.post(board::end, std::to_string(status));
    const auto until = std::chrono::steady_clock::now() + kParting;
    std::set<int> waiting;
    for (int rank = 1; rank < group_.world(); ++rank) waiting.insert(rank);
    while (!waiting.empty() && std::chrono::steady_clock::now() < until) {
      std::erase_if(waiting, [&](int rank) { return group_.posted(call::gone(rank)).has_value(); });
      if (status != 0) group_.require_all();  // one that is gone says nothing any more
      std::this_thread::sleep_for(20ms);
    }
  } catch (const RankMissing&) {  // the run is over all the same
  }
  group_.part();
}

}  // namespace plumb
