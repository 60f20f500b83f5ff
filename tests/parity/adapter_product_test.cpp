// What a stage that trains an adapter leaves: base and adapter, opened by everything that follows as they were trained,
// also after the runs were moved, and what share of the update merged weights hold.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/merged_model.h"
#include "framework/engine/stages/training_rows.h"
#include "plumb/json_rows.h"
#include "tests/parity/goldens.h"
#include "tests/parity/implicit_margin.h"

namespace {

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

int plumb_exit(const std::string& arguments) {
  return WEXITSTATUS(std::system((PLUMB_COMMAND " " + arguments).c_str()));
}

// The smoke recipe in bfloat16 with updates as small as the paper's: 40 of rate 1e-6. `aligned` stands on `sft`;
// `further` on the adapter of `aligned`, `whole` trains all weights above it; `head` is a reward model's adapter.
const char* const kRecipe = R"(name: tiny
base: BASE
stages:
  sft: {dtype: bfloat16}
  pairs: {policy: {eta: 0.55}}
  aligned: {dtype: bfloat16, learning_rate: 1.0e-6, lr_scheduler_type: constant, max_steps: 40, eval: pairs, merge: bfloat16}
  further:
    stage: train
    model: aligned
    data: pairs
    eval: pairs
    dtype: bfloat16
    learning_rate: 1.0e-2
    max_steps: 20
    lora: {r: 2, alpha: 6, target_modules: [q_proj, down_proj]}
    merge: float32
  whole: {stage: train, model: aligned, data: pairs, dtype: bfloat16, learning_rate: 1.0e-5, max_steps: 1}
  head:
    stage: reward_model
    model: backbone
    data: preferences
    batch_size: 32
    learning_rate: 5.0e-3
    lora: {r: 4}
    merge: float32
  scored: {stage: score, responses: responses, reward_model: head}
  gold: null
  report: {of: [aligned, whole]}
)";

struct Made {
  Made() {
    std::string text = kRecipe;
    text.replace(text.find("BASE"), 4, PLUMB_SOURCE_DIR "/recipes/lab/smoke.yaml");
    write_file(folder / "tiny.yaml", text).value();
    const std::string log = (folder / "log.txt").string();
    status = plumb_exit("run " + (folder / "tiny.yaml").string() + " --runs " + (folder / "runs").string() + " >" +
                        log + " 2>&1");
    said = read_file(log).value();
  }
  [[nodiscard]] fs::path stage(const std::string& name) const { return folder / "runs" / "tiny" / name; }
  [[nodiscard]] ArtifactManifest manifest(const std::string& name) const { return read_manifest(stage(name)).value(); }

  Folder folder;
  int status = 0;
  std::string said;
};

// One run serves all tests that only read it.
const Made& made() {
  static const Made once;
  BOOST_REQUIRE_MESSAGE(once.status == 0, once.said);
  return once;
}

Artifact artifact_of(const std::string& stage) {
  return {made().stage(stage), made().manifest(stage)};
}

// The last value of a key in the metrics that a stage logged.
double logged(const std::string& stage, const std::string& key) {
  TextLines lines((made().stage(stage) / "metrics.jsonl").string());
  double found = NAN;
  for (std::string line; lines.next(line);) {
    const Value row = parse_json(line);
    if (const Value* value = row.find(key)) found = value->as_double();
  }
  return found;
}

// To bfloat16 and back: to the nearest, of two as near to the even one.
double in_bfloat16(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) & 0xFFFF0000U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(adapter_product)

BOOST_AUTO_TEST_CASE(the_model_that_is_evaluated_is_the_one_that_was_trained) {
  const fs::path sft = made().stage("sft"), aligned = made().stage("aligned");
  LanguageModel reference = open_to_use(sft), trained = by_hand(sft, aligned), evaluated = open_to_use(aligned);
  const PairRows rows = pair_rows(artifact_of("pairs"), reference, {}, host()).rows;
  const double wanted = margin(trained, reference, rows), found = margin(evaluated, reference, rows);
  BOOST_TEST_MESSAGE("implicit margin " << wanted << ", of the evaluated model " << found);
  BOOST_TEST(wanted > 0);
  BOOST_TEST(found == wanted, boost::test_tools::tolerance(0.01));
  // What stood in its place before: the same in weights of the base's type.
  LanguageModel merged = open_to_use(aligned / "merged");
  BOOST_TEST(std::abs(margin(merged, reference, rows) / wanted - 1) > 0.1);
}

// Opened in bfloat16 as `sample` may, the adapter stays beside the weights, as it was when training measured itself.
BOOST_AUTO_TEST_CASE(margins_in_bfloat16_are_those_that_training_logged) {
  LanguageModel model = open_to_use(made().stage("further"), "bfloat16");
  LanguageModel reference = open_to_use(made().stage("aligned"), "bfloat16");
  BOOST_TEST(model.lora.has_value());
  const PairRows rows = pair_rows(artifact_of("pairs"), model, {}, host()).rows;
  const double wanted = logged("further", "eval_rewards/margins");
  BOOST_TEST(wanted > 0);
  BOOST_TEST(margin(model, reference, rows) == wanted, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(the_share_that_survives_is_that_of_a_plain_computation) {
  const fs::path sft = made().stage("sft"), aligned = made().stage("aligned");
  const auto base = read_model_tensors(sft).value(), merged = read_model_tensors(aligned / "merged").value();
  const auto factors = open_safetensors(aligned / "adapter_model.safetensors").value();
  double along = 0, square = 0, off = 0;
  for (const TensorEntry& entry : factors.entries()) {
    const auto at = entry.name.find(".lora_A.weight");
    if (at == std::string::npos) continue;
    const std::string layer = entry.name.substr(17, at - 17);
    const at::Tensor a = factors.tensor(entry.name), b = factors.tensor("base_model.model." + layer + ".lora_B.weight"),
                     w = base.at(layer + ".weight").to(at::kFloat), m = merged.at(layer + ".weight").to(at::kFloat);
    BOOST_TEST((merged.at(layer + ".weight").scalar_type() == at::kBFloat16));
    for (std::int64_t o = 0; o < w.size(0); ++o) {
      for (std::int64_t i = 0; i < w.size(1); ++i) {
        double update = 0;
        for (std::int64_t r = 0; r < a.size(0); ++r) update += b[o][r].item<double>() * a[r][i].item<double>();
        update *= 2;  // alpha 8 / r 4
        const double before = w[o][i].item<double>(), after = m[o][i].item<double>();
        if (after != in_bfloat16(before + update)) BOOST_TEST(std::abs(after - in_bfloat16(before + update)) < 1e-9);
        along += (after - before) * update;
        square += update * update;
        off += (after - before - update) * (after - before - update);
      }
    }
  }
  const Value said = made().manifest("aligned").summary.at("merged");
  BOOST_TEST(said.at("dtype").as_string() == "bfloat16");
  BOOST_TEST(said.at("survives").as_double() == along / square, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(said.at("error").as_double() == std::sqrt(off / square), boost::test_tools::tolerance(1e-3));
  BOOST_TEST(along / square < 0.9);
  BOOST_TEST(made().said.find("of the adapter's update survives in bfloat16") != std::string::npos, made().said);
  const std::string report = read_file(made().stage("report") / "report.md").value();
  BOOST_TEST(report.find("of the adapter's update ") != std::string::npos);
  BOOST_TEST(std::abs(made().manifest("further").summary.at("merged").at("survives").as_double() - 1) < 1e-4);
}

BOOST_AUTO_TEST_CASE(an_adapter_above_an_adapter_is_one_over_the_same_base) {
  const fs::path further = made().stage("further");
  const Value config = parse_json(read_file(further / "adapter_config.json").value());
  BOOST_TEST(config.at("base_model_name_or_path").as_string() == "base");
  BOOST_TEST(config.at("r").as_int() == 6);  // 4 of aligned, 2 of its own
  BOOST_TEST(fs::equivalent(further / "base" / "model.safetensors", made().stage("sft") / "model.safetensors"));
  // Its start was `aligned`, whole: the margins before the first update are 0, and the merged folder is the same model.
  BOOST_TEST(made().manifest("further").summary.at("step_0_log_ratio").as_double() < 1e-4);
  LanguageModel one = open_to_use(further), other = open_to_use(further / "merged"),
                start = open_to_use(made().stage("aligned"));
  const at::NoGradGuard no_grad;
  const std::vector<std::vector<TokenId>> row{{1, 50, 61, 77, 80, 99, 120}};
  const at::Tensor logits = full_logits(one, row);
  BOOST_TEST((logits - full_logits(other, row)).abs().max().item<double>() < 1e-4);
  BOOST_TEST((logits - full_logits(start, row)).abs().max().item<double>() > 1e-3);
}

BOOST_AUTO_TEST_CASE(all_weights_trained_in_16_bits_take_an_adapter_in_with_a_warning) {
  const ArtifactManifest whole = made().manifest("whole");
  BOOST_TEST(whole.summary.at("start_merged").at("survives").as_double() < 0.9);
  BOOST_TEST(!is_adapter_folder(made().stage("whole")));
  BOOST_TEST(made().said.find("all weights of `aligned` are trained in bfloat16") != std::string::npos, made().said);
}

BOOST_AUTO_TEST_CASE(a_reward_models_adapter_brings_its_head) {
  const fs::path head = made().stage("head");
  BOOST_TEST(is_reward_adapter(head));
  LanguageModel one = open_to_use(head, "float32", true), other = open_to_use(head / "merged", "float32", true);
  const std::vector<SequenceGroup> groups{{{1, 50, 61}, {{77, 80, 2}, {99, 2}}}};
  const at::NoGradGuard no_grad;
  const at::Tensor rewards = completion_rewards(one, groups, {});
  BOOST_TEST((rewards - completion_rewards(other, groups, {})).abs().max().item<double>() < 1e-5);
  LanguageModel narrow =
      open_language_model(head, plugins(), host(), {.placement = {.weights = "int8"}, .reward_head = true});
  BOOST_TEST((rewards - completion_rewards(narrow, groups, {})).abs().max().item<double>() < 0.1);
  BOOST_TEST(made().manifest("scored").type == artifact_type::scored);
}

BOOST_AUTO_TEST_CASE(a_run_that_was_moved_and_a_model_that_was_copied_still_open) {
  const Folder folder;
  fs::copy(made().folder / "runs", folder / "elsewhere", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const fs::path aligned = folder / "elsewhere" / "tiny" / "aligned";
  const fs::path base = fs::canonical(adapter_base(aligned).value() / "model.safetensors");
  BOOST_TEST(base.string().starts_with(fs::canonical(folder.path()).string()), base);
  BOOST_TEST(plumb_exit("generate " + aligned.string() + " --prompt hello --max-new-tokens 2 >/dev/null") == 0);
  // With links resolved (cp -rL) the folder stands alone.
  BOOST_TEST(std::system(("cp -rL " + aligned.string() + " " + (folder / "alone").string()).c_str()) == 0);
  fs::remove_all(folder / "elsewhere");
  BOOST_TEST(plumb_exit("generate " + (folder / "alone").string() + " --prompt hello --max-new-tokens 2 >/dev/null") ==
             0);
  // Without its base it says what is missing.
  fs::remove_all(folder / "alone" / "base");
  BOOST_CHECK_EXCEPTION(static_cast<void>(open_to_use(folder / "alone")), Error, [](const Error& error) {
    return std::string(error.what()).find("there is no folder") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(an_adapter_is_a_model_that_a_recipe_may_start_from) {
  const Folder folder;
  write_file(folder / "next.yaml",
             "name: next\nmodels: {start: {path: " + made().stage("aligned").string() +
                 "}}\ndatasets: {prompts: {source: {name: requests, records: prompts, count: 2}}}\n"
                 "stages: {r: {stage: sample, model: start, prompts: prompts, k: 1, max_new_tokens: 2}}\n")
      .value();
  BOOST_TEST(plumb_exit("run " + (folder / "next.yaml").string() + " --quiet --runs " + (folder / "runs").string() +
                        " >/dev/null") == 0);
  LanguageModel linked = open_to_use(folder / "runs" / "next" / "start"), there = open_to_use(made().stage("aligned"));
  const at::NoGradGuard no_grad;
  const std::vector<std::vector<TokenId>> row{{1, 50, 61, 77}};
  BOOST_TEST(full_logits(linked, row).equal(full_logits(there, row)));
}

BOOST_AUTO_TEST_CASE(the_certificate_measures_the_merged_weights) {
  const Folder folder;
  const std::string out = (folder / "out.json").string();
  BOOST_TEST(plumb_exit("certify " + made().stage("aligned").string() + " --json >" + out) == 1);
  const Value certificate = parse_json(read_file(out).value());
  for (const Value& check : certificate.at("models").as_list().front().at("checks").as_list()) {
    BOOST_TEST(check.at("holds").as_bool() == (check.at("name").as_string() != "merged"), to_json(check));
  }
}

BOOST_AUTO_TEST_SUITE_END()
