// What a run measured, read from its folder: scores by prompt and metrics of every evaluated model.
//
//   std::vector<RunScores> runs = read_scores("runs/table-1").value();   // a sweep: one for each arm that is done
//   runs[0].models[0].scores.at("gold")                                  // prompt → scores of its answers
//
// Names of scores are those of the answers (`judge`, under the name of its judge), after the name of the evaluate stage
// where a run has several. Prompts are told apart by what they say, not by their ids.
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "framework/result.h"
#include "plumb/records.h"

namespace plumb {

using PromptScores = std::map<std::string, std::vector<double>>;  // by prompt; in the order of the samples

struct ModelScores {
  std::string model;                           // as the recipe names it
  std::string artifact;                        // its key; equal keys are one model
  bool baseline = false;                       // of its evaluation
  std::map<std::string, PromptScores> scores;  // by name
  std::map<std::string, std::string> scorers;  // by the same name: the reward model's key, where one gave the scores
  std::vector<Metric> metrics;                 // without the model in their names
  // Judgements that gave nothing, by metric and by score: these are in no number of that name. Zero where all gave one;
  // absent where nobody was asked.
  std::map<std::string, std::int64_t> metric_failures, score_failures;
};

struct RunScores {
  std::string name;           // of the run's folder, or of the arm
  std::string row;            // runs of a row differ in nothing but the seed
  std::string folder, sweep;  // where it lies, and the folder of its sweep; empty: none
  std::uint64_t seed = 0;
  std::vector<ModelScores> models;
  Value recipe;  // resolved, without its name and seed
};

struct ScoresOf {
  std::vector<RunScores> runs;
  std::string baseline;              // of a sweep; empty: none
  std::vector<std::string> missing;  // arms without results, and why
};

// Of the folder of a run or a sweep. Error(data) when it is neither, or holds no evaluation.
Result<ScoresOf> read_scores(const std::filesystem::path& folder);

}  // namespace plumb
