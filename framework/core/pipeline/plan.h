// What a run would do: the content key of every stage, whether its artifact is there, and why it is not.
//
//   Result<Plan> plan = make_plan(loaded.recipe, store);
//   for (const PlannedStage& stage : plan->stages)
//     if (stage.state == StageState::run) …              // stage.why: {"stages.pairs.policy.eta 0.85 -> 0.9"}
//
// A key is the SHA-256 over the sorted JSON of stage kind and revision, resolved parameters (without the names of
// inputs, paths replaced by the hash of what they hold), keys of the inputs, components with the hash of their
// libraries, and the seed where the stage uses it. It is known before anything runs.
// Thread contract: make_plan is [setup]; a plan may be read from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/telemetry/file_reading.h"
#include "framework/result.h"

namespace plumb {

enum class StageState {
  cached,   // its artifact is there
  run,      // it must run
  unneeded  // not asked for, or not there any more while everything that would need it is cached
};

struct PlannedStage {
  const StageSpec* spec;  // borrowed from the recipe
  StageState state = StageState::run;
  // Everything known before the stage runs: key, type, stage, stage_kind, revision, params, contents, inputs, plugins,
  // seed. The run adds summary, seconds and peak_bytes, commit the files.
  ArtifactManifest manifest;
  std::optional<Artifact> artifact;  // when cached
  // When it must run: what changed since the most similar artifact of this stage of this recipe, or "never run".
  std::vector<std::string> why;
  std::optional<ArtifactManifest> earlier;  // that artifact: its seconds and peak_bytes foretell this run's
};

struct Plan {
  std::vector<PlannedStage> stages;  // in the recipe's order: inputs first
  [[nodiscard]] const PlannedStage* find(const std::string& name) const;
  // That an input of `stage` names; null when it is not given.
  [[nodiscard]] const PlannedStage* input_of(const PlannedStage& stage, const std::string& param) const;
};

// `targets`: names of stages; only they and what they need are planned as cached or run. Empty: every stage.
// Error(recipe) for a target that does not exist, Error(data) for a file that cannot be read.
// `explain`: whether to look for the most similar artifact and fill in `why` and `earlier`. `reading` is told of large
// files that are hashed now; a file that did not change since is not read again.
Result<Plan> make_plan(const Recipe& recipe, const ArtifactStore& store, const std::vector<std::string>& targets = {},
                       bool explain = true, const FileReading& reading = {});

// The key that a manifest's kind, revision, params, contents, inputs, plugins and seed make.
std::string content_key(const ArtifactManifest& manifest);

}  // namespace plumb
