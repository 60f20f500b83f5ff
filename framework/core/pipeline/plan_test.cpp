#include "framework/core/pipeline/plan.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/content_hash.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"

using namespace plumb;

namespace {

// A chain data -> pairs -> aligned, with two plugins, an input by path and a seed.
struct Fixture {
  test::Folder folder;
  PluginCandidate selection, optimizer;
  KnownComponent jsonl, gap, dpo;
  Recipe recipe;
  ArtifactStore store{folder / "store"};

  Fixture() {
    write_file(folder / "selection.so", "selection 1").value();
    write_file(folder / "optimizer.so", "optimizer 1").value();
    write_file(folder / "rows.jsonl", "{}\n").value();
    load_plugins("1.0.0");
    recipe.name = "demo";
    add("rows", "datasets", "dataset",
        {{"source", Value::map({{"name", "jsonl"}, {"path", (folder / "rows.jsonl").string()}})}});
    add("pairs", "stages", "select",
        {{"scored", "rows"}, {"policy", Value::map({{"name", "reward-gap"}, {"eta", 0.85}})}});
    add("aligned", "stages", "train",
        {{"model", "base"}, {"data", "pairs"}, {"optimizer", Value::map({{"name", "dpo"}})}});
    recipe.stages[0].components = {{"source", &jsonl}};
    recipe.stages[1].components = {{"policy", &gap}};
    recipe.stages[2].components = {{"optimizer", &dpo}};
    recipe.stages[1].inputs = {{"scored", "rows"}};
    recipe.stages[2].inputs = {{"data", "pairs"}};
  }

  // A candidate keeps the hash of its file, so a changed file is a new candidate.
  void load_plugins(const std::string& version) {
    selection = PluginCandidate{};
    optimizer = PluginCandidate{};
    selection.file = folder / "selection.so";
    selection.id = "org.test.selection";
    optimizer.file = folder / "optimizer.so";
    optimizer.id = "org.test.optimizer";
    selection.version = optimizer.version = version;
    gap.info.kind = "selection-policy/1";
    gap.info.name = "reward-gap";
    ParamInfo path;
    path.name = "path";
    path.type = ParamType::path;
    jsonl.info.kind = "data-source/1";
    jsonl.info.name = "jsonl";
    jsonl.info.params = {path};
    jsonl.plugin = gap.plugin = &selection;
    dpo.info.kind = "optimizer/1";
    dpo.info.name = "dpo";
    dpo.plugin = &optimizer;
  }

  void add(const char* name, const char* section, const char* kind, std::vector<std::pair<std::string, Value>> given) {
    StageSpec stage;
    stage.name = name;
    stage.section = section;
    stage.kind = find_stage_kind(kind);
    stage.output = kind;
    Value params = Value::map();
    for (auto& [key, value] : given) params.set(key, std::move(value));
    for (const auto& issue : check_params(stage.kind->params, params, &stage.params)) BOOST_ERROR(issue.message);
    recipe.stages.push_back(std::move(stage));
  }

  Plan plan(const std::vector<std::string>& targets = {}) { return make_plan(recipe, store, targets).value(); }

  void make(const std::string& name) {
    const Plan now = plan();
    const PlannedStage& stage = *now.find(name);
    ArtifactWriter writer = store.begin(stage.manifest.key, stage.manifest.type).value();
    write_file(writer.folder() / "out", name).value();
    ArtifactManifest manifest = stage.manifest;
    manifest.seconds = 2.5;
    static_cast<void>(writer.commit(std::move(manifest)).value());
  }
  void make_all() {
    for (const char* name : {"rows", "pairs", "aligned"}) make(name);
  }
  std::string states(const std::vector<std::string>& targets = {}) {
    std::string out;
    const Plan now = plan(targets);
    for (const PlannedStage& s : now.stages)
      out += s.state == StageState::cached ? 'c' : s.state == StageState::run ? 'r' : '-';
    return out;
  }
  std::vector<std::string> why(const std::string& name) { return plan().find(name)->why; }
};

using Reasons = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(plan, Fixture)

BOOST_AUTO_TEST_CASE(everything_runs_once) {
  BOOST_TEST(states() == "rrr");
  BOOST_TEST(why("pairs") == Reasons{"never run"}, boost::test_tools::per_element());
  make_all();
  BOOST_TEST(states() == "ccc");
  BOOST_TEST(plan().find("pairs")->artifact.has_value());
  BOOST_TEST(plan().find("nothing") == nullptr);
}

BOOST_AUTO_TEST_CASE(a_parameter_reruns_what_depends_on_it_and_says_why) {
  make_all();
  recipe.stages[1].params.find("policy")->set("eta", 0.9);
  BOOST_TEST(states() == "crr");
  BOOST_TEST(why("pairs") == Reasons{"stages.pairs.policy.eta 0.85 -> 0.9"}, boost::test_tools::per_element());
  BOOST_TEST(why("aligned") == Reasons{"input pairs changed"}, boost::test_tools::per_element());
  const Plan now = plan();
  BOOST_REQUIRE(now.find("aligned")->earlier.has_value());
  BOOST_TEST(now.find("aligned")->earlier->seconds == 2.5);
  recipe.stages[1].params.find("policy")->set("eta", 0.85);
  BOOST_TEST(states() == "ccc");
}

BOOST_AUTO_TEST_CASE(another_component_is_one_reason) {
  make_all();
  recipe.stages[1].params.set("policy", Value::map({{"name", "best-vs-worst"}, {"other", 3}}));
  gap.info.name = "best-vs-worst";
  BOOST_TEST(why("pairs") == Reasons{"stages.pairs.policy.name reward-gap -> best-vs-worst"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_seed_reruns_only_what_draws) {
  make_all();
  recipe.seed = 7;
  BOOST_TEST(states() == "crr");  // the rows are not shuffled
  BOOST_TEST(why("pairs") == Reasons{"seed 1 -> 7"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_plugin_reruns_its_users) {
  make_all();
  write_file(folder / "optimizer.so", "optimizer 2").value();
  load_plugins("1.0.0");
  BOOST_TEST(states() == "ccr");
  BOOST_TEST(why("aligned") == Reasons{"plugin org.test.optimizer changed"}, boost::test_tools::per_element());
  load_plugins("1.1.0");
  BOOST_TEST(
      why("aligned") == (Reasons{"input pairs changed", "plugin org.test.optimizer changed, version 1.0.0 -> 1.1.0"}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(content_counts_and_its_place_does_not) {
  make_all();
  std::filesystem::copy(folder / "rows.jsonl", folder / "copy.jsonl");
  recipe.stages[0].params.find("source")->set("path", (folder / "copy.jsonl").string());
  BOOST_TEST(states() == "ccc");
  write_file(folder / "copy.jsonl", "{ }\n").value();
  BOOST_TEST(states() == "rrr");
  BOOST_TEST(why("rows") == Reasons{"what datasets.rows.source.path names changed"}, boost::test_tools::per_element());
  std::filesystem::remove(folder / "copy.jsonl");
  BOOST_TEST(!make_plan(recipe, store));
}

BOOST_AUTO_TEST_CASE(a_large_file_is_read_by_the_first_plan_alone) {
  const auto file = folder / "rows.jsonl";
  std::ofstream(file) << std::string(3 << 20, '\n');
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - std::chrono::seconds(100));
  std::uint64_t read = 0, calls = 0;
  const auto planned = [&] {
    read = calls = 0;
    auto plan = make_plan(recipe, store, {}, true, [&](const auto& path, std::uint64_t done, std::uint64_t all) {
      BOOST_TEST(path == file);
      BOOST_TEST(all == 3U << 20);
      BOOST_TEST(done > read);
      read = done;
      ++calls;
    });
    return std::move(plan).value().find("rows")->manifest.key;
  };
  const std::string key = planned();
  BOOST_TEST(read == 3U << 20);
  BOOST_TEST(calls == 3U);
  BOOST_TEST(planned() == key);
  BOOST_TEST(calls == 0U);
  std::ofstream(file, std::ios::in | std::ios::out) << ' ';
  BOOST_TEST(planned() != key);
  BOOST_TEST(read == 3U << 20);
}

// A folder of weights that a model links to is hashed when it is planned; sealing the links does not read it again.
BOOST_AUTO_TEST_CASE(what_a_link_names_is_not_read_again_to_seal_it) {
  const auto file = folder / "rows.jsonl";
  std::ofstream(file) << std::string(2 << 20, '\n');
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - std::chrono::seconds(100));
  const PlannedStage stage = *plan().find("rows");
  // A hash that no file has shows whence the manifest's comes.
  const std::string cache = read_file(store.root() / contents_name).value();
  const std::string hash = sha256_of(std::string(2 << 20, '\n')), told(64, '0');
  BOOST_REQUIRE(cache.find(hash) != std::string::npos);
  write_file(store.root() / contents_name, std::string(cache).replace(cache.find(hash), 64, told)).value();
  ArtifactWriter writer = store.begin(stage.manifest.key, stage.manifest.type).value();
  std::filesystem::create_symlink(file, writer.folder() / "linked");
  std::ofstream(writer.folder() / "own") << std::string(2 << 20, '\n');
  const Artifact made = writer.commit(stage.manifest).value();
  BOOST_REQUIRE_EQUAL(made.manifest.files.size(), 2U);
  BOOST_TEST(made.manifest.files[0].sha256 == told);
  BOOST_TEST(made.manifest.files[1].sha256 == hash);
}

BOOST_AUTO_TEST_CASE(names_of_stages_do_not_count) {
  make_all();
  recipe.stages[1].name = "chosen";
  recipe.stages[2].inputs[0].stage = "chosen";
  recipe.stages[2].params.set("data", "chosen");
  BOOST_TEST(states() == "ccc");
}

BOOST_AUTO_TEST_CASE(targets_need_their_ancestors_unless_cached) {
  BOOST_TEST(states({"pairs"}) == "rr-");
  make("rows");
  make("pairs");
  BOOST_TEST(states({"aligned"}) == "ccr");
  BOOST_TEST(states({"pairs"}) == "cc-");
  const Result<Plan> wrong = make_plan(recipe, store, {"pears"});
  BOOST_REQUIRE(!wrong);
  BOOST_TEST((wrong.error().code() == ErrorCode::recipe));
  BOOST_TEST(std::string(wrong.error().what()).find("rows, pairs, aligned") != std::string::npos);
}

// A stage of another recipe that happens to have the name is no earlier attempt of this one.
BOOST_AUTO_TEST_CASE(another_recipes_stage_explains_nothing) {
  recipe.name = "other";
  make_all();
  recipe.name = "demo";
  BOOST_TEST(states() == "ccc");  // what is equal is shared all the same
  recipe.stages[1].params.find("policy")->set("eta", 0.9);
  for (const char* stage : {"pairs", "aligned"}) {
    BOOST_TEST(why(stage) == Reasons{"never run"}, boost::test_tools::per_element());
    BOOST_TEST(!plan().find(stage)->earlier.has_value());
  }
  // Its last run used the other's artifact: that is what changes now.
  const std::string used = [&] {
    recipe.stages[1].params.find("policy")->set("eta", 0.85);
    const std::string key = plan().find("pairs")->manifest.key;
    recipe.stages[1].params.find("policy")->set("eta", 0.9);
    return key;
  }();
  std::filesystem::create_directories(folder / "demo");
  write_file(folder / "demo" / "run.json", R"({"stages":[{"stage":"pairs","key":")" + used + R"("}]})").value();
  BOOST_TEST(why("pairs") == Reasons{"stages.pairs.policy.eta 0.85 -> 0.9"}, boost::test_tools::per_element());
  BOOST_TEST(why("aligned") == Reasons{"never run"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_revision_reruns) {
  make_all();
  StageKind changed = *find_stage_kind("train");
  const std::string before = std::to_string(changed.revision++);
  recipe.stages[2].kind = &changed;
  const std::string wanted =
      "the code of train changed, revision " + before + " -> " + std::to_string(changed.revision);
  BOOST_TEST(why("aligned") == Reasons{wanted}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_damaged_artifact_runs_again_and_says_so) {
  make_all();
  const std::filesystem::path file = plan().find("pairs")->artifact->folder / "out";
  std::string content = read_file(file).value();
  content.back() ^= 1;
  for (const bool removed : {false, true}) {
    removed ? void(std::filesystem::remove(file)) : write_file(file, content).value();
    const auto reasons = why("pairs");
    BOOST_REQUIRE_EQUAL(reasons.size(), 1U);
    BOOST_TEST(reasons[0].find("damaged") != std::string::npos, reasons[0]);
  }
}

BOOST_AUTO_TEST_CASE(a_stored_manifest_gives_its_own_key) {
  recipe.stages[2].params.set("lora", Value::map({{"alpha", 16.0}, {"r", 8}}));
  make_all();
  for (const ArtifactManifest& manifest : store.all()) BOOST_TEST(content_key(manifest) == manifest.key);
  BOOST_TEST(store.all().size() == 3U);
}

BOOST_AUTO_TEST_CASE(folders_are_hashed_by_names_and_contents) {
  const auto model = folder / "model";
  std::filesystem::create_directories(model / "sub");
  const auto write = [](const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; };
  write(model / "config.json", "{}");
  write(model / "sub" / "a", "x");
  const auto hash = [&] { return ContentHashes(folder / "contents.json").of(model).value(); };
  const std::string first = hash();
  BOOST_TEST(hash() == first);
  write(model / ".hidden", "1");
  BOOST_TEST(hash() == first);
  std::filesystem::rename(model / "sub" / "a", model / "sub" / "b");
  BOOST_TEST(hash() != first);
  std::filesystem::rename(model / "sub" / "b", model / "sub" / "a");
  BOOST_TEST(hash() == first);
  write(model / "sub" / "a", "y");
  BOOST_TEST(hash() != first);
}

BOOST_AUTO_TEST_CASE(hashes_of_large_files_are_kept_until_the_file_changes) {
  const auto file = folder / "large";
  const auto age = [&](int seconds) {
    std::filesystem::last_write_time(file,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::seconds(seconds));
  };
  std::ofstream(file) << std::string(2 << 20, 'a');
  age(100);
  const auto time = std::filesystem::last_write_time(file);
  ContentHashes hashes(folder / "contents.json");
  const std::string first = hashes.of(file).value();
  hashes.save();
  std::ofstream(file, std::ios::in | std::ios::out) << 'b';
  BOOST_TEST(ContentHashes(folder / "contents.json").of(file).value() != first);  // the time says that it changed
  std::filesystem::last_write_time(file, time);  // set back: the entry's own time still says it
  const std::string second = ContentHashes(folder / "contents.json").of(file).value();
  BOOST_TEST(second != first);
  BOOST_TEST(second == sha256_of("b" + std::string((2 << 20) - 1, 'a')));
  BOOST_TEST(parse_json(read_file(folder / "contents.json").value()).at(file.string()).at("sha256").as_string() ==
             first);
}

BOOST_AUTO_TEST_SUITE_END()
