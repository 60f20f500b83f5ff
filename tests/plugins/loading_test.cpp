// Plugins that pass the gates: they load through the one path, work, and fail by name when they misbehave.
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>

#include <new>

#include "framework/cancelled.h"
#include "framework/core/components/make.h"
#include "plumb/selection_policy.h"
#include "plumb/tensor/optimizer.h"
#include "tests/plugins/plugin_files.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

ResponseGroup scored(std::initializer_list<double> rewards) {
  ResponseGroup group;
  for (const double reward : rewards) group.responses.push_back({.reward = reward});
  return group;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loading)

BOOST_AUTO_TEST_CASE(a_torch_free_component_works) {
  const Registry registry = scan_folder(kPlugins / "good");
  QuietHost host;
  const auto policy = make<SelectionPolicy>(registry, "gap", Value::map({{"above", 1}}), host).bare();
  const Selection chosen = policy->select(scored({0, 3, 1.5}), Random(1));
  const std::vector<PairChoice> expected{{1, 0}, {1, 2}, {2, 0}};  // 3 - 0, 3 - 1.5 and 1.5 - 0 are above 1
  BOOST_TEST((chosen.pairs == expected));
  BOOST_TEST(*policy->threshold() == 1.0);
  BOOST_TEST(*make<SelectionPolicy>(registry, "test.gap:gap", {}, host).call(&SelectionPolicy::threshold) == 0.5);
}

BOOST_AUTO_TEST_CASE(a_tensor_component_works) {
  const Registry registry = scan_folder(kPlugins / "good");
  QuietHost host;
  const auto pairwise = make<Optimizer>(registry, "hinge", Value::map({{"beta", 0.5}}), host).as<PairwiseOptimizer>();
  BOOST_REQUIRE(pairwise);
  PairBatch batch;
  batch.policy_chosen = at::full({2}, -1.0);
  batch.policy_rejected = at::full({2}, -2.0);
  batch.reference_chosen = at::full({2}, -1.5);
  batch.reference_rejected = at::full({2}, -1.5);
  BOOST_TEST(pairwise.call(&PairwiseOptimizer::loss, batch).value.item<double>() == 0.5);  // 1 - 0.5 * (0.5 - (-0.5))
}

BOOST_AUTO_TEST_CASE(candidates_say_what_they_are) {
  const Registry registry = scan_folder(kPlugins / "good");
  BOOST_REQUIRE_EQUAL(registry.candidates().size(), 2u);
  const PluginCandidate& gap = registry.candidates()[0];
  BOOST_TEST(gap.id == "test.gap");
  BOOST_TEST(gap.version == "1.2.3");
  BOOST_TEST(gap.licence == "Apache-2.0");
  BOOST_TEST(gap.summary == "pairs by their reward gap");
  BOOST_TEST(gap.used());
  BOOST_TEST(gap.sha256().size() == 64u);
  BOOST_TEST(gap.sha256() != registry.candidates()[1].sha256());
  BOOST_TEST(registry.names("selection-policy") == std::vector<std::string>{"gap"}, boost::test_tools::per_element());
  BOOST_TEST(registry.find("selection-policy", "gap")->info.params.at(0).unit == "reward");
  BOOST_TEST(registry.find("selection-policy/1", "gap") != nullptr);
  BOOST_TEST(registry.find("selection-policy/2", "gap") == nullptr);
  BOOST_TEST(registry.find("selection", "gap") == nullptr);
  BOOST_TEST(registry.find("judge", "gap") == nullptr);
}

BOOST_AUTO_TEST_CASE(bad_parameters_stay_errors_of_the_recipe) {
  const Registry registry = scan_folder(kPlugins / "good");
  QuietHost host;
  const auto refusal_of = [&](const Value& params) {
    return error_of(ErrorCode::recipe,
                    [&] { static_cast<void>(plumb::make<SelectionPolicy>(registry, "gap", params, host)); });
  };
  BOOST_TEST(refusal_of(Value::map({{"above", -1}})).find("above: found -1, wanted at least 0") != std::string::npos);
  BOOST_TEST(refusal_of(Value::map({{"abov", 1}})).find("did you mean `above`?") != std::string::npos);
  BOOST_TEST(refusal_of(Value::map({{"above", 13}})).find("refused by a rule") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_plugin_throws_is_named) {
  const Registry registry = Registry::scan({{kPlugins / "broken/test-misbehaving.plumb.so"}, {}});
  QuietHost host;
  const auto make = [&](const char* fault, ErrorCode code) {
    const Environment set("PLUMB_TEST_FAULT", fault);
    return error_of(code, [&] { static_cast<void>(plumb::make<SelectionPolicy>(registry, "idle", {}, host)); });
  };
  const std::string who = "selection-policy `idle` of test.misbehaving 1.0.0: ";
  BOOST_TEST(make("make", ErrorCode::plugin) == who + "threw std::runtime_error: no licence found");
  BOOST_TEST(make("make-with-number", ErrorCode::plugin) == who + "threw something that is no std::exception");
  BOOST_TEST(make("make-with-error", ErrorCode::data) == who + "idle.txt: no such file");
  BOOST_TEST(make("nothing", ErrorCode::plugin) == "no error");
}

BOOST_AUTO_TEST_CASE(guarded_calls_name_the_stage) {
  const auto call = [](ErrorCode code, auto&& thrower) {
    return error_of(code, [&] { guarded("judge `gold`", "evaluation", thrower); });
  };
  BOOST_TEST(guarded("x", "y", [] { return 7; }) == 7);
  BOOST_TEST(call(ErrorCode::plugin, [] { throw std::out_of_range("index 3"); }) ==
             "stage `evaluation`: judge `gold`: threw std::out_of_range: index 3");
  BOOST_TEST(call(ErrorCode::run_failed, [] { throw std::bad_alloc(); }) ==
             "stage `evaluation`: judge `gold`: out of memory");
  BOOST_TEST(call(ErrorCode::plugin, [] {
               throw std::runtime_error("bad shape\nException raised from x at y:1\n#0 …");
             }) == "stage `evaluation`: judge `gold`: threw std::runtime_error: bad shape");
  BOOST_CHECK_THROW(guarded("x", "y", [] { throw Cancelled{}; }), Cancelled);
}

BOOST_AUTO_TEST_CASE(failing_registration_is_named) {
  const fs::path file = kPlugins / "broken/test-misbehaving.plumb.so";
  QuietHost host;
  const auto load = [&](const char* fault) {
    const Environment set("PLUMB_TEST_FAULT", fault);
    const Registry registry = Registry::scan({{file}, {}});
    return error_of(ErrorCode::plugin,
                    [&] { static_cast<void>(plumb::make<SelectionPolicy>(registry, "idle", {}, host)); });
  };
  const std::string who = "plugin test.misbehaving (" + file.string() + "): ";
  BOOST_TEST(load("open") == who + "registration failed: the sky is falling");
  BOOST_TEST(load("open-with-number") == who + "registration failed: an exception that is no std::exception");
  BOOST_TEST(load("undescribed").find(who + "it registers other components than its schema says") == 0u);
}

BOOST_AUTO_TEST_CASE(note_and_entry_must_agree) {
  const Folder folder;
  QuietHost host;
  const fs::path manifest = copy_plugin("good/test-gap", folder / "manifest");
  patch_note(manifest, "summary=pairs", "summary=pears");
  const Registry other_manifest = Registry::scan({{manifest}, {}});
  BOOST_REQUIRE(other_manifest.find("selection-policy", "gap") != nullptr);
  BOOST_TEST(error_of(ErrorCode::plugin, [&] {
               static_cast<void>(plumb::make<SelectionPolicy>(other_manifest, "gap", {}, host));
             }).find("the manifests of its entry and of its note differ") != std::string::npos);

  const fs::path fingerprint = copy_plugin("broken/test-wrong-sdk", folder / "fingerprint");
  patch_note(fingerprint, "sdk=9", "sdk=2");
  patch(schema_file(fingerprint), "sdk=9", "sdk=2");
  const Registry other_fingerprint = Registry::scan({{fingerprint}, {}});
  BOOST_REQUIRE(other_fingerprint.find("selection-policy", "idle") != nullptr);
  BOOST_TEST(error_of(ErrorCode::plugin, [&] {
               static_cast<void>(plumb::make<SelectionPolicy>(other_fingerprint, "idle", {}, host));
             }).find("its entry says \"sdk=9 ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_id_has_one_content) {
  const Folder folder;
  const fs::path first = copy_plugin("good/test-gap", folder / "a");
  const fs::path second = copy_plugin("good/test-gap", folder / "b");
  const PluginSearch both{{}, {folder / "a", folder / "b", folder / "a"}};  // a folder may be named twice
  {
    const Registry registry = Registry::scan(both);
    BOOST_REQUIRE_EQUAL(registry.candidates().size(), 2u);
    BOOST_TEST(registry.candidates()[0].used());
    BOOST_TEST(registry.candidates()[1].same_as == first.string());
    BOOST_TEST(registry.find("selection-policy", "gap")->plugin->file == first);
  }
  write(second, content(second) + "x");
  const Registry registry = Registry::scan(both);
  BOOST_TEST(registry.find("selection-policy", "gap") == nullptr);
  BOOST_TEST(registry.candidates()[0].refused.find(second.string() + " has the same id test.gap and other content") ==
             0u);
  BOOST_TEST(registry.candidates()[1].refused.find(first.string() + " has the same id test.gap and other content") ==
             0u);
  BOOST_TEST(registry.why_absent("selection-policy", "gap").find("has the same id") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(short_names_must_be_unique) {
  const Folder folder;
  const fs::path first = copy_plugin("good/test-gap", folder / "a");
  const fs::path second = copy_plugin("good/test-gap", folder / "b");
  patch(second, "id=test.gap", "id=test.tap");
  patch(schema_file(second), "test.gap", "test.tap");
  const Registry registry = Registry::scan({{}, {folder / "a", folder / "b"}});
  const std::string message =
      error_of(ErrorCode::plugin, [&] { static_cast<void>(registry.find("selection-policy", "gap")); });
  BOOST_TEST(message.find("test.gap:gap (" + first.string() + ")") != std::string::npos);
  BOOST_TEST(message.find("test.tap:gap (" + second.string() + ")") != std::string::npos);
  BOOST_TEST(registry.find("selection-policy", "test.tap:gap")->plugin->file == second);
  BOOST_TEST(registry.names("selection-policy") == (std::vector<std::string>{"test.gap:gap", "test.tap:gap"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(searching)

BOOST_AUTO_TEST_CASE(standard_folders_in_their_order) {
  const Folder folder;
  fs::create_directories(folder / "data/plumb/plugins");
  const Environment data("XDG_DATA_HOME", (folder / "data").string());
  const Environment path("PLUMB_PLUGIN_PATH", "/one::relative:/two");
  const PluginSearch search = PluginSearch::standard();
  BOOST_REQUIRE_EQUAL(search.folders.size(), 5u);
  BOOST_TEST(search.folders[0] == "/one");
  BOOST_TEST(search.folders[1] == "relative");
  BOOST_TEST(search.folders[2] == "/two");
  BOOST_TEST(search.folders[3] == folder / "data/plumb/plugins");
  BOOST_TEST(search.folders[4].is_absolute());
  BOOST_TEST(search.folders[4].string().ends_with("/lib/plumb/plugins"));
  const Registry registry = Registry::scan({{}, {search.folders[0], search.folders[1]}});
  BOOST_TEST(registry.candidates()[0].refused.find("the folder cannot be read: No such file") == 0u);
  BOOST_TEST(registry.candidates()[1].refused.find("plugin folders are absolute paths") == 0u);
}

BOOST_AUTO_TEST_CASE(the_working_directory_is_never_searched) {
  const Folder folder;
  copy_plugin("good/test-gap", folder.path());
  copy_plugin("good/test-gap", folder / "plumb/plugins");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  const Environment path("PLUMB_PLUGIN_PATH", ".:");
  const Registry registry = Registry::scan(PluginSearch::standard());
  fs::current_path(before);
  BOOST_TEST(registry.find("selection-policy", "gap") == nullptr);
}

BOOST_AUTO_TEST_CASE(only_plugin_files_and_no_subfolders) {
  const Folder folder;
  const fs::path file = copy_plugin("good/test-gap", folder.path());
  fs::copy_file(file, folder / "test-gap.so");
  copy_plugin("good/test-hinge", folder / "below");
  const Registry registry = scan_folder(folder.path());
  BOOST_REQUIRE_EQUAL(registry.candidates().size(), 1u);
  fs::remove(file);
  BOOST_TEST(scan_folder(folder.path()).candidates().empty());
  BOOST_TEST(registry.find("selection-policy", "gap") != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
