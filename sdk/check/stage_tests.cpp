// Stages: rows of what they yield, the same however often they were interrupted, from inputs that stay as they are.
#include "plumb/stage.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "plumb/json_fields.h"
#include "plumb/testing_stage.h"
#include "sdk/check/context.h"
#include "sdk/check/fixtures.h"

namespace plumb::check {
namespace {

namespace fs = std::filesystem;
using testing::StageBench;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "plumb-check-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw Failure{"no folder for the test in " + fs::temp_directory_path().string()};
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Rows of one type. The second artifact of a stage shares some prompts with the first, with other answers.
std::vector<StageRow> some_rows(const std::string& type, int artifact) {
  std::vector<StageRow> out;
  for (ResponseGroup group : some_groups()) {
    const bool shared = out.size() % 2 == 0;
    if (artifact > 0 && !shared) group.prompt.id += "-" + std::to_string(artifact);
    for (std::size_t i = 0; i < group.responses.size(); ++i) {
      Response& response = group.responses[i];
      if (artifact > 0) response.text += " And " + std::to_string(artifact) + ".";
      if (type != "responses") response.reward = static_cast<double>((i * 7 + out.size() * 3) % 11) - 4.5;
    }
    const Prompt& prompt = group.prompt;
    if (type == "prompts") out.emplace_back(prompt);
    if (type == "texts") out.emplace_back(Demonstration{prompt.id, {{"assistant", group.responses[0].text}}, {}});
    if (type == "demonstrations") {
      Conversation shown = prompt.messages;
      shown.push_back({"assistant", group.responses[0].text});
      out.emplace_back(Demonstration{prompt.id, shown, {}});
    }
    if (type == "preferences") {
      out.emplace_back(Preference{prompt.id, prompt, group.responses[0].text, group.responses[1].text, 1.5, 0.5, 1.0});
    }
    if (type == "responses" || type == "scored") out.emplace_back(group);
    if (type == "pairs") {
      const double gap = *group.responses[0].reward - *group.responses[1].reward;
      const int chosen = gap > 0 ? 0 : 1;
      const Pair pair{prompt.id,
                      chosen,
                      1 - chosen,
                      *group.responses[static_cast<std::size_t>(chosen)].reward,
                      *group.responses[static_cast<std::size_t>(1 - chosen)].reward,
                      std::abs(gap)};
      out.emplace_back(PairedGroup{group, {pair}});
    }
  }
  return out;
}

// What the stage is given: of a parameter that takes several types, the one with this number.
class Scene {
 public:
  Scene(const Context& c, std::size_t variant) : c_(c) {
    int artifact = 0;
    for (const ParamInfo& info : c.component->params) {
      const Value* named = c.params().find(info.name);
      if (named == nullptr || named->is_null()) continue;
      std::vector<std::string> names;
      if (info.type == ParamType::stage_input) names = {named->as_string()};
      if (info.type == ParamType::stage_inputs) {
        for (const Value& name : named->as_list()) names.push_back(name.as_string());
      }
      if (names.empty()) continue;
      const std::string type = type_of(info, variant);
      if (artifact == 0) first_type_ = type;
      for (const std::string& name : names) given_.push_back({info.name, name, type, some_rows(type, artifact++)});
    }
  }

  // How many variants there are.
  static std::size_t variants(const Context& c) {
    std::size_t most = 1;
    for (const ParamInfo& info : c.component->params) most = std::max(most, info.accepts.size());
    return most;
  }

  [[nodiscard]] StageBench bench(const fs::path& folder, std::function<void(std::int64_t)> before = {}) const {
    const auto& yields = c_.component->yields;
    StageBench out(folder, {.output_type = yields.size() == 1 ? yields.front() : first_type_,
                            .draws = c_.needs("random"),
                            .seed = c_.options.seed,
                            .before = std::move(before)});
    for (const Given& given : given_) out.give(given.param, given.name, given.type, given.rows);
    return out;
  }

 private:
  struct Given {
    std::string param, name, type;
    std::vector<StageRow> rows;
  };

  static std::string type_of(const ParamInfo& info, std::size_t variant) {
    const auto& accepts = info.accepts;
    const std::string type = accepts.empty() ? "prompts" : accepts[std::min(variant, accepts.size() - 1)];
    const auto& known = row_types();
    if (std::find(known.begin(), known.end(), type) != known.end()) return type;
    throw Skip{"its input `" + info.name + "` is a " + type + ", and the kit has none to give"};
  }

  const Context& c_;
  std::vector<Given> given_;
  std::string first_type_;
};

// All that came of it.
std::string result_of(const StageBench& bench) {
  std::string out;
  for (const std::string& row : bench.rows()) out += row + "\n";
  for (const auto& [key, value] : bench.summary()) out += key + " " + to_json(value) + "\n";
  for (const RowsLeftOut& rows : bench.left_out()) {
    out += std::to_string(rows.count) + " of " + std::to_string(rows.of) + " " + rows.unit + ": " + rows.reason + "\n";
  }
  return out;
}

std::string use(Context& c, Component& component) {
  const Folder folder;
  StageBench bench = Scene(c, 0).bench(folder.path());
  static_cast<Stage&>(component).run(bench);
  return result_of(bench);
}

template <class F>
void each_variant(Context& c, F&& test) {
  for (std::size_t variant = 0; variant < Scene::variants(c); ++variant) test(Scene(c, variant));
}

void output(Context& c) {
  each_variant(c, [&](const Scene& scene) {
    const Folder folder;
    StageBench bench = scene.bench(folder.path());
    c.make().as<Stage>().run(bench);
    require(!bench.rows().empty(),
            "it wrote no row of " + bench.output_type() + "; give it parameters with which it does (--params)");
  });
}

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) out[entry.path().string()] = read_text_file(entry.path().string());
  }
  return out;
}

void inputs(Context& c) {
  each_variant(c, [&](const Scene& scene) {
    const Folder folder;
    StageBench bench = scene.bench(folder.path());
    if (!fs::exists(folder.path() / "inputs")) return;  // it has none
    const auto before = contents(folder.path() / "inputs");
    c.make().as<Stage>().run(bench);
    require(contents(folder.path() / "inputs") == before, "it changes the files of its inputs");
  });
}

// Runs it in a process of its own that ends, as if killed, before event number `end`: a row, or a checkpoint.
void run_until(Context& c, const Scene& scene, const fs::path& folder, std::int64_t end) {
  const pid_t child = ::fork();
  if (child < 0) throw Failure{"no process for the test"};
  if (child == 0) {
    std::int64_t events = 0;
    try {
      StageBench bench = scene.bench(folder, [&](std::int64_t) {
        if (events++ == end) ::_exit(0);
      });
      c.make().as<Stage>().run(bench);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it fails where it was to be interrupted");
}

void resumes(Context& c) {
  each_variant(c, [&](const Scene& scene) {
    std::int64_t events = 0;
    const Folder whole;
    StageBench uninterrupted = scene.bench(whole.path(), [&](std::int64_t) { ++events; });
    c.make().as<Stage>().run(uninterrupted);
    const std::string wanted = result_of(uninterrupted);
    for (std::int64_t at = 0; at <= events; at += std::max<std::int64_t>(1, events / 6)) {
      const Folder folder;
      run_until(c, scene, folder.path(), at);
      run_until(c, scene, folder.path(), at / 2);  // and once more, on its way
      StageBench resumed = scene.bench(folder.path());
      c.make().as<Stage>().run(resumed);
      require(result_of(resumed) == wanted, "interrupted after " + std::to_string(at) +
                                                " rows and checkpoints, it gives another result than in one go");
    }
  });
}

void estimates(Context& c) {
  const Made made = c.make();
  const auto& stage = static_cast<const Stage&>(*made.component);
  StageFacts known;
  for (const ParamInfo& info : c.component->params) {
    if (info.type == ParamType::stage_input || info.type == ParamType::stage_inputs) known.rows[info.name] = 1000000;
  }
  for (const StageFacts& facts : {StageFacts{}, known}) {
    const StageNeeds needs = stage.estimate(facts);
    require(!needs.seconds || (std::isfinite(*needs.seconds) && *needs.seconds >= 0),
            "it foretells a time that is none: " + exact(needs.seconds.value_or(0)) + " s");
  }
}

}  // namespace

Kind stage_kind() {
  return {Stage::kind,
          "stage",
          use,
          nullptr,
          {
              {"stage.output", "writes rows of the type that it was registered for", output, true},
              {"stage.inputs", "leaves the files of its inputs as they are", inputs},
              {"stage.resumes", "killed anywhere and taken up again, it gives the same rows and summary", resumes},
              {"stage.estimate", "foretells what can be, whether or not the number of rows is known", estimates},
          }};
}

}  // namespace plumb::check
