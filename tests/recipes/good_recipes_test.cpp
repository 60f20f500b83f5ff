// The recipes of recipes/ and of good/ are accepted, are written out as they were read, and plan what they say.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "framework/core/recipe/recipe.h"
#include "framework/core/sweep/sweep_plan.h"
#include "tests/recipes/recipe_command.h"

namespace fs = std::filesystem;
using namespace plumb::test;

namespace {

void survives_being_written_out(const plumb::Recipe& recipe) {
  const fs::path copy = fs::temp_directory_path() / ("plumb-resolved-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(copy) << plumb::write_recipe(recipe);
  const auto again = plumb::load_recipe({.file = copy, .files_may_be_absent = recipe.files_may_be_absent});
  BOOST_TEST(again.problems.empty(), plumb::show_problems(again.problems, again.source.text));
  BOOST_TEST(plumb::write_recipe(again.recipe) == plumb::write_recipe(recipe));
  for (const plumb::StageSpec& stage : recipe.stages) {
    const plumb::StageSpec* same = again.recipe.find(stage.name);
    BOOST_REQUIRE(same != nullptr);
    BOOST_TEST((same->params == stage.params));
    BOOST_TEST(same->output == stage.output);
  }
  fs::remove(copy);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recipes)

BOOST_AUTO_TEST_CASE(good_recipes_are_accepted_and_survive_being_written_out) {
  std::vector<fs::path> files;
  for (const fs::path& folder : {kHere / "good", kRecipes}) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
  }
  BOOST_TEST(!files.empty());
  const fs::path runs = no_runs();
  for (const fs::path& file : files) {
    BOOST_TEST_CONTEXT(file.string()) {
      const bool paper = file.parent_path().filename() == "paper";  // of models and data that nobody can ship
      const auto loaded = plumb::load_recipe({.file = file, .files_may_be_absent = paper});
      BOOST_TEST(loaded.problems.empty(), plumb::show_problems(loaded.problems, loaded.source.text));
      if (!loaded.sweep) survives_being_written_out(loaded.recipe);
      if (!loaded.sweep || !loaded.problems.empty()) continue;
      for (const plumb::Arm& arm : loaded.sweep->arms) {
        BOOST_TEST_CONTEXT(arm.name) survives_being_written_out(arm.recipe);
      }
      // Arms that need the same stages throughout are the same arm twice: a value that has no effect.
      const plumb::ArtifactStore store(runs);
      std::set<std::string> keys;
      for (const plumb::Plan& plan : plumb::plan_sweep(*loaded.sweep, store).value().arms) {
        std::string all;
        for (const plumb::PlannedStage& stage : plan.stages) {
          if (stage.state == plumb::StageState::run) all += stage.manifest.key;
        }
        BOOST_TEST(keys.insert(all).second, "two arms of the sweep are the same");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(every_study_of_the_paper_has_its_recipe) {
  for (const char* study : {"paper/table-1", "paper/table-2", "paper/table-3", "paper/table-4", "paper/table-5",
                            "paper/table-6", "paper/figure-2", "paper/figure-3", "paper/figure-4", "lab/table-1",
                            "lab/table-3", "lab/table-6", "lab/figure-2", "lab/figure-3", "lab/ppo-sensitivity"}) {
    BOOST_TEST_CONTEXT(study) {
      const auto loaded =
          plumb::load_recipe({.file = kRecipes / (std::string(study) + ".yaml"), .files_may_be_absent = true});
      BOOST_REQUIRE(loaded.sweep.has_value());
      BOOST_TEST(loaded.sweep->arms.size() >= 2U);
    }
  }
}

// Two optimizers under two reward models, and SFT judged by each: all of a seed start from one SFT model, RS-DPO's
// answers are sampled once a seed, and each seed has two reward models.
BOOST_AUTO_TEST_CASE(the_study_of_reward_models_shares_what_does_not_depend_on_them) {
  const fs::path file = kRecipes / "lab" / "ppo-sensitivity.yaml";
  const fs::path runs = no_runs();
  const auto loaded = plumb::load_recipe({.file = file});
  const std::size_t seeds = 3;
  BOOST_TEST(loaded.sweep.value().arms.size() == 6 * seeds);
  const auto plan = plumb::plan_sweep(*loaded.sweep, plumb::ArtifactStore(runs)).value();
  const auto different = [&](const std::string& name) {
    for (const plumb::SweepStage& stage : plan.stages) {
      if (stage.name == name) return stage.different;
    }
    return std::size_t{0};
  };
  BOOST_TEST(different("sft") == seeds);
  BOOST_TEST(different("responses") == seeds);
  BOOST_TEST(different("reward") == 2 * seeds);
  BOOST_TEST(different("aligned") == 4 * seeds);
  // What a weak reward model is compared with differs in nothing else.
  const auto aligned = [&](const std::string& arm) {
    for (const plumb::Arm& candidate : loaded.sweep->arms) {
      if (candidate.name == arm) return candidate.recipe.find("aligned")->params;
    }
    return plumb::Value();
  };
  for (const std::string row : {"ppo", "gap-0.85"}) {
    BOOST_TEST(!aligned(row + ",seed=1").is_null());
    BOOST_TEST((aligned(row + ",seed=1") == aligned(row + "-weak,seed=1")));
  }
}

BOOST_AUTO_TEST_CASE(recipes_can_be_planned_before_their_files_are_there) {
  const fs::path runs = no_runs();
  std::size_t planned = 0;
  for (const auto& entry : fs::directory_iterator(kRecipes / "paper")) {
    if (entry.path().extension() != ".yaml") continue;
    BOOST_TEST_CONTEXT(entry.path().filename().string()) {
      const Outcome plan =
          run({command(), "plan", entry.path().string(), "--runs", runs.string(), "--without-files", "--gpus"});
      BOOST_TEST(plan.status == 0);
      const bool trains_a_reward_alone = entry.path().stem() == "rm-oa";
      BOOST_TEST(plan.text.find(trains_a_reward_alone ? "\nreward " : "\nresponses ") != std::string::npos, plan.text);
      BOOST_TEST(plan.text.find("\ntogether ") != std::string::npos, plan.text);
      ++planned;
    }
  }
  BOOST_TEST(planned >= 11U);
  // Absent files stay a problem of everything else.
  const std::string recipe = (kRecipes / "paper" / "hh.yaml").string();
  BOOST_TEST(run({command(), "validate", recipe}).status == 2);
  BOOST_TEST(run({command(), "run", recipe}).status == 2);
  BOOST_TEST(run({command(), "validate", recipe, "--without-files"}).text.ends_with("valid: 14 stages\n"));
}

// A profile's name ends with the memory of the GPU that all of its stages are to fit.
BOOST_AUTO_TEST_CASE(profiles_of_the_paper_fit_the_gpu_that_they_are_for) {
  const fs::path runs = no_runs();
  const fs::path folder = kRecipes / "paper";
  const auto plan = [&](const fs::path& file, const std::string& memory) {
    return run({command(), "plan", file.string(), "--runs", runs.string(), "--without-files", "--no-code",
                "--gpu-memory", memory});
  };
  std::size_t profiles = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    const std::size_t dash = name.rfind('-');
    if (!name.ends_with("gb") || dash == std::string::npos) continue;
    BOOST_TEST_CONTEXT(name) {
      const Outcome planned = plan(entry.path(), name.substr(dash + 1, name.size() - dash - 3));
      BOOST_TEST(planned.status == 0);
      const std::string table = planned.text.substr(planned.text.find("\nstage        times") + 1);
      BOOST_TEST(table.find("\naligned ") != std::string::npos, planned.text);
      BOOST_TEST(table.substr(0, table.find("\ntogether")).find(" !") == std::string::npos, planned.text);
      ++profiles;
    }
  }
  BOOST_TEST(profiles >= 4U);
  BOOST_TEST(plan(folder / "hh.yaml", "80").text.find(" GiB !") != std::string::npos);
  BOOST_TEST(plan(folder / "hh.yaml", "0").status == 2);
}

// Whatever runs in a stage is in its key and in the lock, also what the recipe does not name.
BOOST_AUTO_TEST_CASE(components_that_a_stage_uses_by_default_are_in_its_key) {
  const fs::path runs = no_runs();
  const auto components = [&](const fs::path& file, const std::string& stage,
                              const std::vector<std::string>& sets = {}) {
    const auto loaded = plumb::load_recipe({.file = file, .overrides = sets, .files_may_be_absent = true});
    BOOST_REQUIRE_MESSAGE(loaded.problems.empty(), plumb::show_problems(loaded.problems, loaded.source.text));
    std::set<std::string> out;
    const plumb::Plan plan = plumb::make_plan(loaded.recipe, plumb::ArtifactStore(runs)).value();
    for (const plumb::PluginUse& use : plan.find(stage)->manifest.plugins) out.insert(use.component);
    return out;
  };
  const fs::path lab = kRecipes / "lab";
  BOOST_TEST(components(lab / "smoke.yaml", "backbone").count("optimizer/1 sft") == 1u);
  BOOST_TEST(components(lab / "ppo.yaml", "aligned").count("reward-model/1 classifier-head") == 1u);
  // Of a reward by path also what reads its folder; DPO has no reward, and none in its key.
  const auto paper = components(kRecipes / "paper" / "hh.yaml", "rewards");
  BOOST_TEST(std::any_of(paper.begin(), paper.end(), [](const std::string& use) { return use.starts_with("model/"); }));
  BOOST_TEST(components(lab / "smoke.yaml", "aligned").count("reward-model/1 classifier-head") == 0u);
}

BOOST_AUTO_TEST_CASE(the_command_accepts_and_counts) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  BOOST_TEST(run({command(), "validate", recipe}).text == "valid: 13 stages\n");
  const Outcome outcome = run({command(), "validate", recipe, "--no-code"});
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.text == "valid: 13 stages\n");
  BOOST_TEST(outcome.seconds <= 0.2 * kSlack);
}

BOOST_AUTO_TEST_SUITE_END()
