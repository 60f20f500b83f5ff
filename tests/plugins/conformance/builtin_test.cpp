// Every built-in plugin passes the conformance tests.
#include <cstdlib>
#include <iostream>

#include "plumb/json_fields.h"
#include "tests/plugins/conformance/checking.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

const fs::path kHere = fs::path(PLUMB_SOURCE_DIR) / "tests/plugins";
const fs::path kBuiltIn = fs::path(PLUMB_COMMAND).parent_path().parent_path() / "lib/plumb/plugins";

// Parameters for what cannot be made from its defaults, with a SentencePiece model where the shared data has one.
fs::path parameters(const Folder& folder) {
  Value all = read_json_file((kHere / "parameters.json").string());
  const char* given = std::getenv("PLUMB_SHARED");
  const fs::path shared = given != nullptr ? given : fs::path(PLUMB_SOURCE_DIR) / "../shared";
  const fs::path model = shared / "data/stories260K-hf";
  if (fs::exists(model / "tokenizer.model")) {
    all.set("sentencepiece", Value::map({{"path", fs::canonical(model).string()}}));
  } else {
    std::cout << "no SentencePiece model in " << shared << ": the tokenizer's own tests are skipped\n";
  }
  for (auto& [name, params] : all.as_map()) {
    for (auto& [key, value] : params.as_map()) {
      const bool path = value.is_string() && (key == "path" || key == "mt_bench");
      if (path && !fs::path(value.as_string()).is_absolute()) value = (kHere / value.as_string()).string();
    }
  }
  write(folder / "parameters.json", to_json(all));
  return folder / "parameters.json";
}

void passes(bool tensors) {
  const Folder folder;
  const std::string params = " --params " + parameters(folder).string();
  int count = 0;
  for (const auto& entry : fs::directory_iterator(kBuiltIn)) {
    if (!entry.path().string().ends_with(kPluginSuffix)) continue;
    const bool sees_tensors = inspect_plugin(entry.path()).fingerprint.find("torch=none") == std::string::npos;
    if (sees_tensors != tensors) continue;
    ++count;
    const Checked checked = check_plugin(entry.path(), params);
    BOOST_TEST(checked.status == 0, entry.path().filename() << ": " << checked.why << checked.errors);
    BOOST_TEST(checked.bad.empty(), entry.path().filename());
    BOOST_TEST(checked.passed >= 15, entry.path().filename());
  }
  BOOST_TEST(count > 3);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(builtin)

BOOST_AUTO_TEST_CASE(torch_free_plugins_pass) {
  passes(false);
}

BOOST_AUTO_TEST_CASE(tensor_plugins_pass) {
  passes(true);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(check_command)

BOOST_AUTO_TEST_CASE(prints_a_line_for_each_test) {
  const Outcome out = plumb_command("plugins check " + (kBuiltIn / "reward_gap.plumb.so").string());
  BOOST_TEST(out.status == 0);
  BOOST_TEST(has(out.out, "passed    selection.indices                 selection-policy reward-gap\n"));
  BOOST_TEST(has(out.out, "\norg.plumbline.reward-gap 1.0.0: "));
  BOOST_TEST(has(out.out, " passed, 0 failed, 1 skipped (seed 1)\n"));
}

BOOST_AUTO_TEST_CASE(filter_seed_and_in_process) {
  const std::string file = (kBuiltIn / "reward_gap.plumb.so").string();
  const Outcome one = plumb_command("plugins check " + file + " --filter selection.indices --seed 7 --in-process");
  BOOST_TEST(one.status == 0);
  BOOST_TEST(has(one.out, "1 passed, 0 failed, 0 skipped (seed 7)"));
  const Outcome none = plumb_command("plugins check " + file + " --filter no-such-test");
  BOOST_TEST(none.status == 2);
  BOOST_TEST(has(none.err, "--filter leaves no test"));
  const Outcome malformed = plumb_command("plugins check " + file + " --filter '('");
  BOOST_TEST(malformed.status == 2);
  BOOST_TEST(has(malformed.err, "is no regular expression"));
}

BOOST_AUTO_TEST_CASE(lists_its_tests) {
  const Outcome out = plumb_command("plugins check --list");
  BOOST_TEST(out.status == 0);
  for (const char* group :
       {"file.", "load.", "parameters.", "component.", "selection.", "reward.", "judge.", "evaluator.", "tokenizer.",
        "data-source.", "generator.", "stage.", "model.", "optimizer.", "lifecycle."}) {
    BOOST_TEST(has(out.out, std::string("\n") + group), group);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_none) {
  BOOST_TEST(check_plugin("/no/such.plumb.so").bad == (std::vector<std::string>{"file.readable failed"}),
             boost::test_tools::per_element());
  BOOST_TEST(plumb_command("plugins check").status == 2);
}

BOOST_AUTO_TEST_SUITE_END()
