// `sweep:` of a recipe: values to vary. Each combination is an arm, a run of its own; what arms share runs once.
//
//   sweep:
//     seeds: [1, 2, 3]                            # every combination below with each of them
//     grid:                                       # every combination of these
//       stages.pairs.policy.eta: [0.8, 0.85, 0.9]
//       stages.pairs.policy.tau: [0.9, 1, 1.1]
//     zip:                                        # one of each at a time; lists of equal length
//       stages.aligned.learning_rate: [1.0e-4, 3.0e-4]
//       stages.aligned.max_steps: [300, 100]
//     list:                                       # arms by name, each with values of its own
//       sft: {stages.gold.models: [sft]}
//       best-vs-worst: {stages.pairs.policy: best-vs-worst}
//     until: [gold]                               # arms run to these stages; absent: all
//     baseline: sft                               # what the others are compared with
//     published:                                  # numbers that reports show beside those measured
//       source: a paper, its table
//       rows: {best-vs-worst: {MT-Bench: 5.34}}
//
// Keys are dotted as for --set and replace the value that is there, which may be a whole stage. An arm is seeds × list
// × zip × grid, and values are applied in the order list, zip, grid, seed; --set comes last and holds for all arms.
// Thread contract: functions are [any].
#pragma once

#include <optional>

#include "framework/core/recipe/recipe.h"

namespace plumb {

inline constexpr std::size_t kArms = 1000;

// Problems of arms: each is shown once, and said to belong to its arms unless it is in all of them.
class ArmProblems {
 public:
  explicit ArmProblems(std::size_t arms) : arms_(arms) {}
  void add(const std::string& arm, Problem problem);
  void move_to(std::vector<Problem>& problems);  // in the order of the file
  [[nodiscard]] bool empty() const { return found_.empty(); }

 private:
  struct Found {
    Problem problem;
    std::vector<std::string> arms;
  };
  std::size_t arms_;
  std::vector<Found> found_;
};

// The arms of a recipe, without their recipes; nothing when it has no sweep. Adds what is wrong with the sweep itself.
std::optional<Sweep> read_sweep(const RecipeSource& source, std::vector<Problem>& problems);

// The recipe's tree as this arm has it. Adds what is wrong with its keys.
Value tree_of(const RecipeSource& source, const Arm& arm, std::vector<Problem>& problems);

// Checks the arms and fills in their recipes. What is wrong in some of them only is said to be theirs.
void check_arms(Sweep& sweep, const RecipeSource& source, const Registry& registry, std::vector<Problem>& problems);

}  // namespace plumb
