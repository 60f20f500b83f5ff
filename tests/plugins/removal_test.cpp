// Nothing is linked statically: whichever built-in plugin's file is removed, what it provides is gone and everything
// else stays.
#include <cstdlib>

#include "plumb/value.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

// The build's command and libraries with a plugin folder of their own: the command searches beside its libraries.
class Installation {
 public:
  Installation() {
    const fs::path build = fs::path(PLUMB_COMMAND).parent_path().parent_path();
    fs::create_directories(folder_ / "bin");
    fs::create_directories(plugins());
    fs::copy_file(PLUMB_COMMAND, command());
    for (const auto& entry : fs::directory_iterator(build / "lib")) {
      if (entry.path().extension() == ".so") fs::copy_file(entry.path(), folder_ / "lib" / entry.path().filename());
    }
    fs::create_directory_symlink(fs::canonical(build / "lib/libtorch"), folder_ / "lib/libtorch");
    for (const auto& entry : fs::directory_iterator(build / "lib/plumb/plugins")) {
      if (!entry.path().string().ends_with(kPluginSuffix)) continue;
      files_.push_back(plugins() / entry.path().filename());
      fs::copy_file(entry.path(), files_.back());
      fs::copy_file(schema_file(entry.path()), schema_file(files_.back()));
    }
  }
  [[nodiscard]] fs::path command() const { return folder_ / "bin/plumb"; }
  [[nodiscard]] fs::path plugins() const { return folder_ / "lib/plumb/plugins"; }
  [[nodiscard]] const std::vector<fs::path>& files() const { return files_; }

  // File of each used plugin -> its components.
  [[nodiscard]] std::map<std::string, std::vector<ComponentInfo>> listed() const {
    const Outcome out = run_command(command(), "plugins list --json");
    BOOST_REQUIRE_EQUAL(out.status, 0);
    std::map<std::string, std::vector<ComponentInfo>> found;
    const Value all = parse_json(out.out);
    for (const Value& plugin : all.as_list()) {
      if (!plugin.at("used").as_bool()) continue;
      auto& components = found[plugin.at("file").as_string()];
      for (const Value& component : plugin.at("components").as_list()) components.push_back(parse_component(component));
    }
    return found;
  }

 private:
  Folder folder_;
  std::vector<fs::path> files_;
};

// A recipe that uses the component. Tokenizers and the readers of model folders are found by what they claim.
std::string recipe_with(const std::string& kind, const std::string& name) {
  const std::string start = "name: removal\ndatasets:\n  d: {source: {name: ";
  if (kind == "data-source") return start + name + "}}\n";
  const std::string requests = start + "requests, records: prompts, count: 4}}\n";
  if (kind == "model") {
    return requests + "models:\n  m: {architecture: " + name + ", tokenizer: t, chat_format: plain, config: {}}\n";
  }
  const std::string llama =
      requests + "models:\n  m: {architecture: llama2, tokenizer: t, chat_format: plain, config: {}}\n";
  const std::string stages = llama + "stages:\n  t: {stage: tokenizer, data: d, vocabulary_size: 400}\n";
  if (kind == "generator") return stages + "  s: {stage: sample, model: m, prompts: d, generator: " + name + "}\n";
  if (kind == "reward-model")
    return stages + "  s: {stage: score, responses: d, reward_model: m, reward: " + name + "}\n";
  if (kind == "selection-policy") return stages + "  s: {stage: select, scored: d, policy: " + name + "}\n";
  if (kind == "optimizer") return stages + "  s: {stage: train, model: m, data: d, optimizer: " + name + "}\n";
  if (kind == "evaluator")
    return stages + "  s: {stage: evaluate, models: [m], prompts: d, evaluators: [" + name + "]}\n";
  if (kind == "judge") {
    return stages + "  s: {stage: evaluate, models: [m], prompts: d, evaluators: [judge-score], judge: " + name + "}\n";
  }
  return stages;  // a tokenizer: the one that reads what the stage writes
}

std::string plain(const std::string& kind) {
  return kind.substr(0, kind.find('/'));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(removal)

BOOST_AUTO_TEST_CASE(each_built_in_plugin_can_be_removed) {
  const Installation here;
  const Environment path("PLUMB_PLUGIN_PATH", "");
  const auto all = here.listed();
  BOOST_TEST(all.size() == here.files().size());  // none is refused
  BOOST_TEST(all.size() > 5u);
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [file, components] : all) {
    for (const auto& info : components) names[plain(info.kind)].push_back(info.name);
  }
  const fs::path recipe = here.plugins() / "recipe.yaml";
  for (const fs::path& file : here.files()) {
    BOOST_TEST_CONTEXT(file.filename()) {
      fs::rename(file, here.plugins() / "aside");
      auto rest = all;
      rest.erase(file.string());
      const auto left = here.listed();
      BOOST_TEST(left.count(file.string()) == 0u);
      BOOST_TEST(left.size() == rest.size());
      for (const ComponentInfo& info : all.at(file.string())) {
        const std::string kind = plain(info.kind);
        if (kind == "tokenizer" && info.claims.front() != "tokenizer.json") continue;
        write(recipe, recipe_with(kind, info.name));
        const Outcome refused = run_command(here.command(), "validate " + recipe.string());
        BOOST_TEST(refused.status == 2);
        if (kind == "tokenizer") {
          BOOST_TEST(has(refused.err, "no tokenizer plugin reads tokenizer.json; there are: "));
        } else {
          BOOST_TEST(has(refused.err, "there is no " + kind + " `" + info.name + "`; "), refused.err);
        }
        for (const std::string& other : names[kind]) {  // the names that exist
          bool of_this_file = false;
          for (const auto& own : all.at(file.string())) of_this_file = of_this_file || own.name == other;
          if (!of_this_file) BOOST_TEST(has(refused.err, other), other << " in: " << refused.err);
        }
      }
      fs::rename(here.plugins() / "aside", file);
      for (const ComponentInfo& info : all.at(file.string())) {
        if (plain(info.kind) == "tokenizer") continue;
        write(recipe, recipe_with(plain(info.kind), info.name));
        const Outcome found = run_command(here.command(), "validate " + recipe.string());
        BOOST_TEST(!has(found.err, "there is no " + plain(info.kind) + " `" + info.name), found.err);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
