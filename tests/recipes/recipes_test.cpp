// Every recipe of bad/ is refused with exactly the problems that its first lines list, by the library and by the
// command.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "framework/core/recipe/plugin_check.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/sweep/sweep_plan.h"

namespace fs = std::filesystem;

namespace {

const fs::path kHere = fs::path(PLUMB_SOURCE_DIR) / "tests" / "recipes";

struct Wanted {
  plumb::Mark mark;
  std::string key, part, nearest;
};

struct Bad {
  fs::path file;
  std::vector<Wanted> wanted;
  std::vector<std::string> sets;
  bool opens_plugins = false;  // only their code sees what is wrong
};

std::string trimmed(std::string s) {
  s.erase(0, s.find_first_not_of(' '));
  s.erase(s.find_last_not_of(' ') + 1);
  return s;
}

Wanted parse_wanted(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '|');) fields.push_back(trimmed(field));
  if (fields.size() < 3) throw std::runtime_error("cannot read: " + line);
  Wanted out{{}, fields[1], fields[2], fields.size() > 3 ? fields[3] : ""};
  std::istringstream place(fields[0]);
  if (fields[0].starts_with("--set ")) {
    place.ignore(6);
    place >> out.mark.column;
  } else {
    char colon = 0;
    place >> out.mark.line >> colon >> out.mark.column;
  }
  if (!place) throw std::runtime_error("cannot read: " + line);
  return out;
}

std::vector<Bad> bad_recipes() {
  std::vector<Bad> out;
  for (const auto& entry : fs::directory_iterator(kHere / "bad")) {
    if (entry.path().extension() != ".yaml") continue;
    Bad bad{entry.path(), {}, {}};
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("# wants ")) bad.wanted.push_back(parse_wanted(line.substr(8)));
      bad.opens_plugins |= line == "# opens plugins";
      if (line.starts_with("# set ")) bad.sets.push_back(line.substr(6));
    }
    out.push_back(std::move(bad));
  }
  std::sort(out.begin(), out.end(), [](const Bad& a, const Bad& b) { return a.file < b.file; });
  return out;
}

bool fits(const plumb::Problem& found, const Wanted& wanted) {
  return found.mark == wanted.mark && found.key == wanted.key && found.message.find(wanted.part) != std::string::npos &&
         (wanted.nearest.empty() || found.nearest == wanted.nearest);
}

struct Outcome {
  int status = -1;
  double seconds = 0;  // of processor time: the machine may be busy with other tests
  std::string text;    // standard output and error
};

Outcome run(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  Outcome out;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  out.seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return out;
}

std::string command() {
  const char* given = std::getenv("PLUMB_COMMAND");
  return given == nullptr ? std::string(PLUMB_SOURCE_DIR) + "/build/release/bin/plumb" : given;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr double kSlack = 10;
#else
constexpr double kSlack = 1;
#endif

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

BOOST_AUTO_TEST_CASE(there_are_enough) {
  BOOST_TEST(bad_recipes().size() >= 48U);
}

BOOST_AUTO_TEST_CASE(bad_recipes_have_exactly_the_listed_problems) {
  for (const Bad& bad : bad_recipes()) {
    BOOST_TEST_CONTEXT(bad.file.filename().string()) {
      auto loaded = plumb::load_recipe({.file = bad.file, .overrides = bad.sets, .plugins = {}});
      BOOST_TEST(loaded.problems.empty() == bad.opens_plugins);
      if (bad.opens_plugins) loaded.problems = plumb::check_with_plugins(loaded).problems;
      bool same = loaded.problems.size() == bad.wanted.size();
      for (std::size_t i = 0; same && i < bad.wanted.size(); ++i) same = fits(loaded.problems[i], bad.wanted[i]);
      std::string wanted;
      for (const Wanted& w : bad.wanted) {
        wanted += std::to_string(w.mark.line) + ":" + std::to_string(w.mark.column) + ": " + w.key + ": " + w.part +
                  "; nearest: " + w.nearest + "\n";
      }
      BOOST_TEST(same, "\nfound:\n" + plumb::show_problems(loaded.problems, loaded.source.text) + "wanted:\n" + wanted);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_command_refuses_each_with_status_2_in_time) {
  for (const Bad& bad : bad_recipes()) {
    BOOST_TEST_CONTEXT(bad.file.filename().string()) {
      std::vector<std::string> arguments = {command(), "validate", bad.file.string()};
      for (const std::string& set : bad.sets) arguments.insert(arguments.end(), {"--set", set});
      const Outcome outcome = run(arguments);
      BOOST_TEST(outcome.status == 2);
      // Where nothing else is wrong the plugins are opened, and LibTorch with them.
      BOOST_TEST(outcome.seconds <= (bad.opens_plugins ? 4 : 0.2) * kSlack);
      for (const Wanted& wanted : bad.wanted) {
        const std::string place = wanted.mark.line > 0
                                      ? bad.file.string() + ":" + std::to_string(wanted.mark.line) + ":" +
                                            std::to_string(wanted.mark.column) + ": "
                                      : "--set " + bad.sets.at(static_cast<std::size_t>(wanted.mark.column) - 1) + ": ";
        BOOST_TEST(outcome.text.find(place) != std::string::npos, outcome.text);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(good_recipes_are_accepted_and_survive_being_written_out) {
  std::vector<fs::path> files;
  for (const fs::path& folder : {kHere / "good", fs::path(PLUMB_SOURCE_DIR) / "recipes"}) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
  }
  BOOST_TEST(!files.empty());
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
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
  const fs::path recipes = fs::path(PLUMB_SOURCE_DIR) / "recipes";
  for (const char* study : {"paper/table-1", "paper/table-2", "paper/table-3", "paper/table-4", "paper/table-5",
                            "paper/table-6", "paper/figure-2", "paper/figure-3", "paper/figure-4", "lab/table-1",
                            "lab/table-3", "lab/table-6", "lab/figure-2", "lab/figure-3", "lab/ppo-sensitivity"}) {
    BOOST_TEST_CONTEXT(study) {
      const auto loaded =
          plumb::load_recipe({.file = recipes / (std::string(study) + ".yaml"), .files_may_be_absent = true});
      BOOST_REQUIRE(loaded.sweep.has_value());
      BOOST_TEST(loaded.sweep->arms.size() >= 2U);
    }
  }
}

// Two optimizers under two reward models, and SFT judged by each: all of a seed start from one SFT model, RS-DPO's
// answers are sampled once a seed, and each seed has two reward models.
BOOST_AUTO_TEST_CASE(the_study_of_reward_models_shares_what_does_not_depend_on_them) {
  const fs::path file = fs::path(PLUMB_SOURCE_DIR) / "recipes" / "lab" / "ppo-sensitivity.yaml";
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
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
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
  std::size_t planned = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(PLUMB_SOURCE_DIR) / "recipes" / "paper")) {
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
  const std::string recipe = std::string(PLUMB_SOURCE_DIR) + "/recipes/paper/hh.yaml";
  BOOST_TEST(run({command(), "validate", recipe}).status == 2);
  BOOST_TEST(run({command(), "run", recipe}).status == 2);
  BOOST_TEST(run({command(), "validate", recipe, "--without-files"}).text.ends_with("valid: 14 stages\n"));
}

// A profile's name ends with the memory of the GPU that all of its stages are to fit.
BOOST_AUTO_TEST_CASE(profiles_of_the_paper_fit_the_gpu_that_they_are_for) {
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
  const fs::path folder = fs::path(PLUMB_SOURCE_DIR) / "recipes" / "paper";
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
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
  const auto components = [&](const fs::path& file, const std::string& stage,
                              const std::vector<std::string>& sets = {}) {
    const auto loaded = plumb::load_recipe({.file = file, .overrides = sets, .files_may_be_absent = true});
    BOOST_REQUIRE_MESSAGE(loaded.problems.empty(), plumb::show_problems(loaded.problems, loaded.source.text));
    std::set<std::string> out;
    const plumb::Plan plan = plumb::make_plan(loaded.recipe, plumb::ArtifactStore(runs)).value();
    for (const plumb::PluginUse& use : plan.find(stage)->manifest.plugins) out.insert(use.component);
    return out;
  };
  const fs::path lab = fs::path(PLUMB_SOURCE_DIR) / "recipes" / "lab";
  BOOST_TEST(components(lab / "smoke.yaml", "backbone").count("optimizer/1 sft") == 1u);
  BOOST_TEST(components(lab / "ppo.yaml", "aligned").count("reward-model/1 classifier-head") == 1u);
  // Of a reward by path also what reads its folder; DPO has no reward, and none in its key.
  const auto paper = components(fs::path(PLUMB_SOURCE_DIR) / "recipes" / "paper" / "hh.yaml", "rewards");
  BOOST_TEST(std::any_of(paper.begin(), paper.end(), [](const std::string& use) { return use.starts_with("model/"); }));
  BOOST_TEST(components(lab / "smoke.yaml", "aligned").count("reward-model/1 classifier-head") == 0u);
}

// A key that is read from the environment: a run without it ends before its first stage, a validation says it.
BOOST_AUTO_TEST_CASE(what_the_environment_lacks_is_said_before_a_run) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  const std::string key =
      "judge: {name: openai-judge, url: \"https://example.org/v1\", model: m, key_from: PLUMB_NO_SUCH_KEY}";
  const std::string value = key.substr(key.find('{'));
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
  const std::vector<std::string> with{recipe, "--set", "stages.gold.evaluators=[mt-bench]", "--set",
                                      "stages.gold.judge=" + value};
  const auto command_line = [&](const std::string& verb, const std::vector<std::string>& more) {
    std::vector<std::string> all{command(), verb};
    all.insert(all.end(), with.begin(), with.end());
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  const Outcome refused = command_line("run", {"--runs", runs.string()});
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(refused.text.find("stages.gold.judge.key_from: the environment variable of this name is not set") !=
                 std::string::npos,
             refused.text);
  BOOST_TEST(refused.text.find("PLUMB_NO_SUCH_KEY\n") == std::string::npos);
  BOOST_TEST(!fs::exists(runs / "bad"));
  const Outcome noted = command_line("validate", {});
  BOOST_TEST(noted.status == 0);
  BOOST_TEST(noted.text.find("note: ") == 0u, noted.text);
  fs::remove_all(runs);
}

// No machine has a GPU 127.
BOOST_AUTO_TEST_CASE(a_gpu_that_is_not_there_is_said_before_anything_runs) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  const fs::path runs = fs::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
  for (const auto& [set, key] : {std::pair<std::string, std::string>{"stages.sft.device=cuda:127", "stages.sft.device"},
                                 {"stages.answers.generator={name: local, device: cuda:127}", "generator.device"},
                                 {"stages.gold.device=cuda:127", "stages.gold.device"}}) {
    for (const std::string verb : {"validate", "plan", "run"}) {
      BOOST_TEST_CONTEXT(verb << " " << key) {
        std::vector<std::string> arguments{command(), verb, recipe, "--set", set};
        if (verb != "validate") arguments.insert(arguments.end(), {"--runs", runs.string()});
        const Outcome outcome = run(arguments);
        BOOST_TEST(outcome.status == 2);
        BOOST_TEST(outcome.text.find(key) != std::string::npos, outcome.text);
        BOOST_TEST(outcome.text.find("cuda:127 cannot be used on this machine: no ") != std::string::npos,
                   outcome.text);
      }
    }
  }
  const Outcome elsewhere =
      run({command(), "plan", recipe, "--set", "stages.sft.device=cuda:127", "--runs", runs.string(), "--gpus"});
  BOOST_TEST(elsewhere.status == 0);
  BOOST_TEST(elsewhere.text.find("checked for another machine") != std::string::npos, elsewhere.text);
  BOOST_TEST(!fs::exists(runs));
}

BOOST_AUTO_TEST_CASE(several_processes_of_what_is_one_are_refused) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  for (const auto& [rank, world] :
       {std::pair{"RANK", "WORLD_SIZE"}, std::pair{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
        std::pair{"PMI_RANK", "PMI_SIZE"}}) {
    ::setenv(world, "2", 1);
    const Outcome half = run({command(), "run", recipe, "--runs", "/nowhere"});
    BOOST_TEST(half.status == 2);
    BOOST_TEST(half.text.find(std::string(world) + " is in the environment without " + rank) != std::string::npos,
               half.text);
    ::setenv(rank, "1", 1);
    ::setenv("MASTER_ADDR", "localhost", 1);
    ::setenv("MASTER_PORT", "1", 1);
    const Outcome sweep = run({command(), "sweep", recipe, "--runs", "/nowhere"});
    BOOST_TEST(sweep.status == 2);
    BOOST_TEST(sweep.text.find("started 2 processes of `plumb sweep`") != std::string::npos, sweep.text);
    for (const char* name : {rank, world, "MASTER_ADDR", "MASTER_PORT"}) ::unsetenv(name);
  }
}

BOOST_AUTO_TEST_CASE(a_plugin_that_was_asked_for_must_be_usable) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  for (const char* file : {"not-a-plugin.plumb.so", "absent.plumb.so"}) {
    const Outcome outcome = run({command(), "validate", recipe, "--plugin", (kHere / "files" / file).string()});
    BOOST_TEST(outcome.status == 2);
    BOOST_TEST(outcome.text.find(std::string(file) + ": the plugin is refused: ") != std::string::npos, outcome.text);
  }
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
