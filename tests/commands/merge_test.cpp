// `plumb merge`: an adapter's folder as one whole model, and what it refuses.
#include <boost/test/unit_test.hpp>

#include "plumb/value.h"
#include "tests/commands/command.h"

namespace {

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

const fs::path goldens = fs::path(PLUMB_SOURCE_DIR) / "tests" / "parity" / "goldens";

// PEFT's golden adapter; `base` as its adapter_config.json names it.
fs::path put_adapter(const Folder& folder, const Value& base) {
  fs::copy(goldens / "lora_eval", folder / "adapter");
  Value config = parse_json(read_file(goldens / "lora_eval" / "adapter_config.json").value());
  config.set("base_model_name_or_path", base);
  write_file(folder / "adapter" / "adapter_config.json", to_json(config)).value();
  return folder / "adapter";
}

void require_refused(const std::vector<std::string>& arguments, int status, const std::string& part) {
  const Outcome out = plumb_command(arguments);
  BOOST_TEST(out.status == status, out.errors);
  BOOST_TEST(out.text.empty(), out.text);
  BOOST_TEST(out.errors.find(part) != std::string::npos, out.errors);
}

std::string greedy(const fs::path& model) {
  const Outcome out = plumb_command(
      {"generate", model.string(), "--prompt", "w17 w45 w9 w101", "--greedy", "--max-new-tokens", "16", "--json"});
  BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
  return to_json(parse_json(out.text).at("ids"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(merge)

BOOST_AUTO_TEST_CASE(a_merged_folder_is_the_model_of_the_adapter) {
  const Folder folder;
  const fs::path adapter = put_adapter(folder, (goldens / "micro-llama").string());
  const std::string merged = (folder / "deep" / "merged").string();
  const Outcome out = plumb_command({"merge", adapter.string(), merged, "--json"});
  BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
  BOOST_TEST(out.errors.empty(), out.errors);
  const Value said = parse_json(out.text, "standard output");
  BOOST_TEST(said.at("folder").as_string() == merged);
  BOOST_TEST(said.at("dtype").as_string() == "float32");
  BOOST_TEST(said.at("survives").as_double() == 1.0, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(greedy(merged) == greedy(adapter));
  BOOST_TEST(greedy(merged) != greedy(goldens / "micro-llama"));
  BOOST_TEST(fs::directory_iterator(folder / "deep")->path() == merged);  // and nothing beside it
  const Outcome text = plumb_command({"merge", adapter.string(), (folder / "narrow").string(), "--dtype", "bfloat16"});
  BOOST_REQUIRE_MESSAGE(text.status == 0, text.errors);
  BOOST_TEST(text.text.find("% of the adapter's update survives in bfloat16") != std::string::npos, text.text);
  const Value config = parse_json(read_file(folder / "narrow" / "config.json").value());
  BOOST_TEST(to_json(config).find("\"bfloat16\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_base_is_found_by_a_relative_path) {
  const Folder folder;
  fs::copy(goldens / "micro-llama", folder / "models");
  const fs::path adapter = put_adapter(folder, "../models");
  BOOST_TEST(plumb_command({"merge", adapter.string(), (folder / "merged").string()}).status == 0);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_merged_is_refused_by_name) {
  const Folder folder;
  const fs::path adapter = put_adapter(folder, Value());
  const std::string out = (folder / "out").string();
  require_refused({"merge", adapter.string(), out}, 4, "base_model_name_or_path is missing");
  require_refused({"merge", (goldens / "micro-llama").string(), out}, 4, "there is nothing to fold in");
  require_refused({"merge", (folder / "no").string(), out}, 4, "there is no such folder");
  require_refused({"merge", adapter.string(), adapter.string()}, 4, "is there already");
  require_refused({"merge", adapter.string(), out, "--dtype", "int8"}, 2, "wanted float32 or bfloat16");
  require_refused({"merge", adapter.string()}, 2, "an argument is missing");
  write_file(folder / "run.json", "{}").value();
  require_refused({"merge", folder.path().string(), out}, 4, "is a run, not a model");
  BOOST_TEST(!fs::exists(out));
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    BOOST_TEST(entry.path().filename().string().find("plumb-tmp") == std::string::npos, entry.path());
  }
}

BOOST_AUTO_TEST_SUITE_END()
