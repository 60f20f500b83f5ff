// Which plugin a name means, which plugins a recipe may bring along, and runs that are held to a lock.
#include <fstream>

#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

Registry registry_of(const std::vector<std::string>& plugins) {
  PluginSearch search;
  for (const std::string& name : plugins) search.files.push_back(kPlugins / (name + ".plumb.so"));
  return Registry::scan(search);
}

std::string id_of(const Registry& registry, const std::string& name) {
  const KnownComponent* found = registry.find("selection-policy", name);
  return found == nullptr ? "" : found->plugin->id;
}

// A recipe that a moment runs, with one plugin file named.
std::string write_recipe(const fs::path& folder, const std::string& plugin) {
  const fs::path file = folder / "names.yaml";
  std::ofstream(file) << "name: names\nplugins: [" << plugin
                      << "]\ndatasets: {asks: {source: {name: requests, records: prompts, count: 4}}}\n";
  return "run " + file.string() + " --quiet --runs " + (folder / "runs").string();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(naming)

BOOST_AUTO_TEST_CASE(a_renamed_plugin_answers_to_its_old_id) {
  const Registry renamed = registry_of({"renamed/test-renamed"});
  BOOST_TEST(id_of(renamed, "test.gap:gap") == "test.renamed");
  BOOST_TEST(id_of(renamed, "test.renamed:gap") == "test.renamed");
  BOOST_TEST(id_of(renamed, "gap") == "test.renamed");
  BOOST_TEST(id_of(renamed, "test.gap:other") == "");
  BOOST_TEST(id_of(renamed, "test.hinge:gap") == "");
  // The one that still has the id keeps it, and a short name that both provide is nobody's.
  const Registry both = registry_of({"renamed/test-renamed", "good/test-gap"});
  BOOST_TEST(id_of(both, "test.gap:gap") == "test.gap");
  BOOST_CHECK_THROW(id_of(both, "gap"), Error);
}

BOOST_AUTO_TEST_CASE(a_recipe_brings_plugins_along_only_beside_it) {
  const Folder ours, theirs;
  copy_plugin("good/test-gap", ours.path());
  const fs::path outside = copy_plugin("good/test-gap", theirs.path());
  BOOST_TEST(plumb_command(write_recipe(ours.path(), "test-gap.plumb.so")).status == 0);

  const std::string run = write_recipe(ours.path(), outside.string());
  const Outcome refused = plumb_command(run);
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(has(refused.err, outside.string() + ", which lies neither beside it"));
  BOOST_TEST(has(refused.err, "add --trust"));
  BOOST_TEST(plumb_command(run + " --trust").status == 0);
  {
    const Environment path("PLUMB_PLUGIN_PATH", theirs.path().string());
    BOOST_TEST(plumb_command(run).status == 0);
  }
  fs::create_directory(ours.path() / "link");
  fs::create_symlink(outside, ours.path() / "link/test-gap.plumb.so");
  fs::create_symlink(theirs.path() / "test-gap.schema.json", ours.path() / "link/test-gap.schema.json");
  BOOST_TEST(plumb_command(write_recipe(ours.path(), "link/test-gap.plumb.so")).status == 2);
}

BOOST_AUTO_TEST_CASE(a_locked_run_is_that_run_or_none) {
  const Folder folder;
  copy_plugin("good/test-gap", folder.path());
  const std::string run = write_recipe(folder.path(), "test-gap.plumb.so");
  BOOST_REQUIRE(plumb_command(run).status == 0);
  const fs::path lock = folder.path() / "names.lock.yaml";
  fs::copy_file(folder.path() / "runs/names/recipe.lock.yaml", lock);
  const std::string locked = run + " --locked " + lock.string();
  BOOST_TEST(plumb_command(locked).status == 0);

  const Outcome other = plumb_command(locked + " --set datasets.asks.source.count=5");
  BOOST_TEST(other.status == 2);
  BOOST_TEST(has(other.err, "stage asks: found the key "));
  BOOST_TEST(!has(other.err, "plugin org"));

  std::string text = content(lock);
  const std::size_t hash = text.find("sha256: ") + 8;
  text[hash] = text[hash] == 'a' ? 'b' : 'a';
  std::ofstream(lock) << text;
  const Outcome changed = plumb_command(locked);
  BOOST_TEST(changed.status == 2);
  BOOST_TEST(has(changed.err, "plugin org.plumbline.requests: found 1.0.0 with sha256 "));

  std::ofstream(lock) << "plugins: 3\n";
  BOOST_TEST(plumb_command(locked).status == 4);
}

// What `plumb run` is told holds for every arm of a sweep.
BOOST_AUTO_TEST_CASE(a_sweep_hands_the_options_of_a_run_to_its_arms) {
  const Folder ours, theirs;
  const fs::path outside = copy_plugin("good/test-gap", theirs.path());
  std::string sweep = write_recipe(ours.path(), outside.string());
  sweep.replace(0, 3, "sweep");
  std::ofstream(ours.path() / "names.yaml", std::ios::app) << "sweep: {grid: {datasets.asks.source.count: [4, 5]}}\n";
  const Outcome refused = plumb_command(sweep);
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(has(refused.err, "add --trust"));
  BOOST_TEST(!fs::exists(ours.path() / "runs/names"));
  BOOST_TEST(plumb_command(sweep + " --trust").status == 0);
  const fs::path locks = ours.path() / "locks";
  fs::rename(ours.path() / "runs/names", locks);
  const std::string locked = sweep + " --trust --locked " + locks.string();
  BOOST_TEST(plumb_command(locked).status == 0);
  const Outcome other = plumb_command(locked + " --set datasets.asks.limit=3");
  BOOST_TEST(other.status == 2);
  BOOST_TEST(has(other.err, "would not be the one of " + (locks / "count=4" / "recipe.lock.yaml").string()));
  // The second arm's lock is another run's: it is refused before the first has run.
  fs::remove_all(ours.path() / "runs");
  fs::copy_file(locks / "count=4/recipe.lock.yaml", locks / "count=5/recipe.lock.yaml",
                fs::copy_options::overwrite_existing);
  BOOST_TEST(plumb_command(locked).status == 2);
  BOOST_TEST(!fs::exists(ours.path() / "runs/names"));
}

BOOST_AUTO_TEST_SUITE_END()
