#include "framework/core/pipeline/follower.h"

#include <fmt/format.h>

#include <chrono>
#include <new>
#include <thread>

#include "framework/core/door/engine.h"
#include "framework/core/door/ranks.h"
#include "framework/core/pipeline/following_stage.h"
#include "framework/core/pipeline/guardian.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/pipeline/leader.h"
#include "framework/core/telemetry/text.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kLook = 20ms;    // between two looks at the board
constexpr auto kParting = 15s;  // for rank 0 to say that the run is over, once something failed

// The status with which the run ended, if it has.
std::optional<int> ended(RankGroup& group) {
  const auto status = group.posted(board::end);
  if (!status) return std::nullopt;
  group.post(call::gone(group.rank()), "");
  group.part();
  return std::stoi(*status);
}

// A folder's manifest that another machine wrote a moment ago.
Artifact artifact_in(const fs::path& folder) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  for (;;) {
    Result<ArtifactManifest> manifest = read_manifest(folder);
    if (manifest) return {folder, std::move(*manifest)};
    if (std::chrono::steady_clock::now() > until) throw manifest.error();
    std::this_thread::sleep_for(100ms);
  }
}

void run_stage(RankGroup& group, const Recipe& recipe, const Registry& registry, const Value& task) {
  const StageSpec* spec = recipe.find(task.at("stage").as_string());
  if (spec == nullptr) throw Error(ErrorCode::recipe, "there is no stage " + task.at("stage").as_string());
  std::map<std::string, Artifact> artifacts;
  for (const auto& [name, folder] : task.at("inputs").as_map()) artifacts[name] = artifact_in(folder.as_string());
  const Engine& engine = Engine::open();
  const int own = engine.threads();
  engine.set_threads(static_cast<int>(task.at("threads").as_int()));
  note_running({.stage = spec->name, .plugins = {}, .memory = {}});
  {
    FollowingStage context(recipe, *spec, registry, artifacts,
                           {task.at("folder").as_string(), task.at("work").as_string()}, group.rank());
    const WorkInRanks scope(group);
    engine.body(spec->kind->kind)(context);
  }
  engine.set_threads(own);
  note_running({});
}

struct Failure {
  ErrorCode code = ErrorCode::run_failed;
  std::string text;
  bool of_another = false;
};

Failure failure_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Cancelled&) {
    return {interruption_code(), "was asked to stop"};
  } catch (const RankMissing& error) {
    return {error.code(), error.what(), true};
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ErrorCode::run_failed, "out of memory"};
  } catch (const std::exception& error) {
    return {ErrorCode::run_failed, first_line(error.what())};
  } catch (...) {
    return {ErrorCode::plugin, "something that is no exception was thrown"};
  }
}

}  // namespace

int report_failure(RankGroup& group, const std::exception_ptr& thrown) {
  const Failure failure = failure_of(thrown);
  try {
    if (!failure.of_another) {
      const std::string text =
          fmt::format("rank {} of {} ({}): {}", group.rank(), group.world(), group.who(group.rank()), failure.text);
      group.post(board::failed,
                 to_json(Value::map(
                     {{"rank", group.rank()}, {"code", static_cast<std::int64_t>(failure.code)}, {"text", text}})));
    }
    const auto until = std::chrono::steady_clock::now() + kParting;
    while (std::chrono::steady_clock::now() < until) {
      if (const auto status = ended(group)) return *status == 0 ? static_cast<int>(failure.code) : *status;
      std::this_thread::sleep_for(kLook);
    }
  } catch (const RankMissing&) {  // nobody is there any more to be told
  }
  group.part();
  return static_cast<int>(failure.code);
}

int follow(RankGroup& group, const Recipe& recipe, const Registry& registry) {
  watch_for_interruption();
  try {
    for (int number = 0;;) {
      if (const auto status = ended(group)) return *status;
      if (const auto task = group.posted(call::stage(number))) {
        run_stage(group, recipe, registry, parse_json(*task));
        group.post(call::done(number++, group.rank()), "");
        continue;
      }
      group.require_all();
      std::this_thread::sleep_for(kLook);
    }
  } catch (...) {
    return report_failure(group, std::current_exception());
  }
}

}  // namespace plumb
