// A certificate holds for models that are right, and fails for a wrong architecture, for changed weights and for merged
// weights that do not hold the adapter's update.
#include "framework/engine/certificate/certificate.h"

#include <ATen/TensorOperators.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <map>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/certificate/likelihood.h"
#include "framework/engine/modeling/merged_model.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

const Registry& with_unfaithful() {
  static const Registry made = [] {
    PluginSearch search = PluginSearch::standard();
    search.files.emplace_back(PLUMB_UNFAITHFUL_MODEL);
    return Registry::scan(search);
  }();
  return made;
}

CertifiedModel certified(const std::filesystem::path& folder) {
  const Certificate certificate = certify(folder, with_unfaithful(), host(), {});
  BOOST_REQUIRE(certificate.models.size() == 1U);
  return certificate.models.front();
}

const Check& check_of(const CertifiedModel& model, const std::string& name) {
  for (const Check& check : model.checks) {
    if (check.name == name) return check;
  }
  throw std::runtime_error("there is no check " + name);
}

std::vector<std::string> failing(const CertifiedModel& model) {
  std::vector<std::string> names;
  for (const Check& check : model.checks) {
    if (!check.holds()) names.push_back(check.name);
  }
  return names;
}

CertifiedModel certified_with_fault(const std::string& fault) {
  const Folder folder;
  LanguageModel model = new_language_model("unfaithful", Value::map({{"model_type", "unfaithful"}, {"fault", fault}}),
                                           with_unfaithful(), host(), Random(3), {});
  save_language_model(model, folder / "m");
  return certified(folder / "m");
}

void fails_in(const std::string& fault, const std::vector<std::string>& wanted) {
  const CertifiedModel model = certified_with_fault(fault);
  BOOST_TEST_CONTEXT(fault) {
    BOOST_TEST(!model.holds());
    for (const std::string& name : wanted) {
      const Check& check = check_of(model, name);
      BOOST_TEST(!check.holds(), name << " measured " << check.measured << ", bound " << check.bound);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(certificate)

BOOST_AUTO_TEST_CASE(models_that_are_right_hold) {
  for (const char* name : {"micro-llama", "micro-neox", "micro-neox-rm"}) {
    const CertifiedModel model = certified(golden(name));
    BOOST_TEST_CONTEXT(name) {
      for (const Check& check : model.checks) {
        BOOST_TEST(check.holds(), check.name << ": " << check.measured << " " << check.problem);
      }
      BOOST_TEST(model.checks.size() >= (std::string(name).ends_with("-rm") ? 5U : 11U));
      BOOST_TEST(model.type == (std::string(name).ends_with("-rm") ? "reward-model" : "model"));
      BOOST_TEST(model.tokens > 50);
      // Measured, not assumed: two ways to compute never round alike everywhere.
      BOOST_TEST(check_of(model, "packing").measured > 0);
    }
  }
  BOOST_TEST(failing(certified_with_fault("none")).empty());
}

BOOST_AUTO_TEST_CASE(wrong_architectures_fail) {
  fails_in("company", {"batch", "packing", "padding", "cached_decode", "accumulation_tokens"});
  fails_in("future", {"padding", "cached_decode"});
  fails_in("place", {"batch", "packing", "padding", "cached_decode", "accumulation_pairs"});
}

BOOST_AUTO_TEST_CASE(weights_that_are_no_numbers_fail) {
  const Folder folder;
  LanguageModel model = open_golden("micro-llama");
  model.parameters->find("model.layers.1.mlp.up_proj.weight")->tensor->detach()[3][3] = NAN;
  save_language_model(model, folder / "m");
  const CertifiedModel found = certified(folder / "m");
  BOOST_TEST(!check_of(found, "batch").holds());
  BOOST_TEST(!check_of(found, "step_0_loss").holds());
  BOOST_TEST((to_json(to_value(Certificate{{found}})).find("\"holds\":false") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(merged_weights_of_another_adapter_fail) {
  const Folder folder;
  LanguageModel model = open_golden("micro-llama");
  attach_lora(model, {8, 16, 0, {"q_proj", "v_proj"}}, Random(1));
  for (const Parameter* parameter : model.trainable()) parameter->tensor->detach().add_(0.1);
  save_language_model(model, folder / "m");
  static_cast<void>(write_merged(folder / "m", folder / "m" / "merged", "float32", false, plugins(), host()));
  BOOST_TEST(failing(certified(folder / "m")).empty());
  for (const Parameter* parameter : model.trainable()) parameter->tensor->detach().mul_(1.01);
  save_language_model(model, folder / "m");
  BOOST_TEST(failing(certified(folder / "m")) == std::vector<std::string>{"merged"}, boost::test_tools::per_element());
}

// The command on a run: exit status 0, then 1 once a byte of some weights changed under it.
BOOST_AUTO_TEST_CASE(a_run_is_certified_on_its_own_rows) {
  const Folder folder;
  const auto plumb = [&](const std::string& arguments) {
    return WEXITSTATUS(std::system((PLUMB_COMMAND " " + arguments).c_str()));
  };
  const std::string run = (folder / "runs" / "smoke").string(), out = (folder / "out.json").string();
  BOOST_TEST_REQUIRE(plumb("run " PLUMB_SOURCE_DIR "/recipes/lab/smoke.yaml --until aligned --quiet --runs " +
                           (folder / "runs").string() + " >" + out + " 2>&1") == 0);
  BOOST_TEST(plumb("certify " + run + " --json >" + out) == 0);
  const Value certificate = parse_json(read_file(out).value());
  std::map<std::string, std::string> rows;
  for (const Value& model : certificate.at("models").as_list()) {
    rows[model.at("name").as_string()] = model.at("rows").as_string();
  }
  const std::map<std::string, std::string> wanted{{"sft", "rows of demonstrations"},
                                                  {"backbone", "rows of demonstrations"},
                                                  {"reward", "rows of preferences"},
                                                  {"aligned", "rows of pairs"}};
  BOOST_TEST((rows == wanted), to_json(certificate));

  for (const Value& model : certificate.at("models").as_list()) {
    const Value& real = model.at("real_rows");
    BOOST_TEST_CONTEXT(to_json(model)) {
      if (model.at("name").as_string() == "reward") {
        BOOST_TEST(real.at("pairs").as_int() == 6);  // as many prompts as are measured
        BOOST_TEST(real.at("ordered").as_int() <= 6);
      } else {
        BOOST_TEST(real.at("tokens").as_int() > 50);
        BOOST_TEST(real.at("nats").as_double() < real.at("uniform").as_double());
        // Trained on these very rows, the backbone by eight updates, after which it is no model of them yet.
        BOOST_TEST((real.find("warning") == nullptr) == (model.at("name").as_string() != "backbone"));
      }
    }
  }

  const std::filesystem::path weights = std::filesystem::canonical(run + "/aligned/adapter_model.safetensors");
  std::filesystem::permissions(weights, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::string bytes = read_file(weights).value();
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 0x40);
  write_file(weights, bytes).value();
  BOOST_TEST(plumb("certify " + run + " --json >" + out) == 1);
  const Value changed = parse_json(read_file(out).value());
  for (const Value& model : changed.at("models").as_list()) {
    BOOST_TEST(model.at("holds").as_bool() == (model.at("name").as_string() != "aligned"));
  }
}

// By hand: of the ids 5, 5, 5, 7 among ten, a share of 3/4 and 1/4, each mixed with a tenth of 1/10.
BOOST_AUTO_TEST_CASE(a_unigram_model_of_rows) {
  const std::vector<SequenceGroup> rows{{{1}, {{5, 5}, {7}}}, {{9, 9}, {{5}}}};
  const double wanted = -(3 * std::log(0.9 * 0.75 + 0.01) + std::log(0.9 * 0.25 + 0.01)) / 4;
  BOOST_TEST(unigram_nats(rows, rows, 10) == wanted, boost::test_tools::tolerance(1e-12));
  const std::vector<SequenceGroup> one{{{1}, {{7, 3}}}};  // 3 is not among the known ones
  BOOST_TEST(unigram_nats(one, rows, 10) == -(std::log(0.9 * 0.25 + 0.01) + std::log(0.01)) / 2,
             boost::test_tools::tolerance(1e-12));
}

// The nats a token of a text, from its logits by the definition of the softmax.
BOOST_AUTO_TEST_CASE(nats_a_token_are_those_of_the_text) {
  const Folder folder;
  write_file(folder / "text.txt", "w7 w8 w9 w7\nw30 w31\n").value();
  const Certificate certificate = certify(golden("micro-llama"), plugins(), host(), {.text = folder / "text.txt"});
  BOOST_REQUIRE(certificate.models.front().real.has_value());
  const RealRows& real = *certificate.models.front().real;
  LanguageModel model = open_golden("micro-llama");
  double sum = 0;
  std::int64_t tokens = 0;
  for (const char* line : {"w7 w8 w9 w7", "w30 w31"}) {
    std::vector<TokenId> ids = model.tokenizer->encode(line);
    ids.insert(ids.begin(), 1);
    const at::Tensor logits = full_logits(model, {&ids, 1});
    for (std::size_t t = 1; t < ids.size(); ++t, ++tokens) {
      const auto* row = logits[static_cast<std::int64_t>(t) - 1].const_data_ptr<float>();
      double all = 0;
      for (int v = 0; v < 128; ++v) all += std::exp(static_cast<double>(row[v]));
      sum += std::log(all) - static_cast<double>(row[ids[t]]);
    }
  }
  BOOST_TEST(real.tokens == tokens);
  BOOST_TEST(real.nats == sum / static_cast<double>(tokens), boost::test_tools::tolerance(1e-5));
  BOOST_TEST(real.uniform == std::log(128.0));
  BOOST_TEST(!certify(golden("micro-llama"), plugins(), host(), {}).models.front().real.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_neither_run_nor_model_is_refused) {
  const Folder folder;
  BOOST_CHECK_THROW(certify(folder / "nothing", plugins(), host(), {}), Error);
  BOOST_CHECK_THROW(certify(folder.path(), plugins(), host(), {}), Error);
}

BOOST_AUTO_TEST_SUITE_END()
