#include <boost/test/unit_test.hpp>
#include <set>

#include "framework/core/catalogue/settings.h"
#include "framework/core/catalogue/stage.h"

using plumb::ParamInfo;
using plumb::ParamType;
using plumb::StageKind;
using plumb::Value;

namespace {

const std::set<std::string> kTypes = {"texts",     "prompts", "demonstrations", "preferences",
                                      "tokenizer", "model",   "reward-model",   "responses",
                                      "scored",    "pairs",   "metrics",        "report"};

Value complete(const StageKind& kind, Value given) {
  Value resolved;
  for (const auto& issue : plumb::check_params(kind.params, given, &resolved))
    BOOST_ERROR(issue.path + ": " + issue.message);
  return resolved;
}

std::vector<plumb::ParamIssue> broken(const std::string& kind, Value given) {
  const StageKind& found = *plumb::find_stage_kind(kind);
  return found.check(complete(found, std::move(given)));
}

void expect_broken(const std::string& kind, Value given, const std::string& key, const std::string& part) {
  BOOST_TEST_CONTEXT(kind << " " << part) {
    const auto issues = broken(kind, std::move(given));
    BOOST_REQUIRE_EQUAL(issues.size(), 1U);
    BOOST_TEST(issues[0].path == key);
    BOOST_TEST(issues[0].message.find(part) != std::string::npos, issues[0].message);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(catalogue)

BOOST_AUTO_TEST_CASE(every_kind_is_documented_and_consistent) {
  for (const StageKind& kind : plumb::stage_catalogue()) {
    BOOST_TEST_CONTEXT(kind.kind) {
      BOOST_TEST(plumb::find_stage_kind(kind.kind) == &kind);
      BOOST_TEST(!kind.doc.empty());
      BOOST_TEST((kind.output == "*") == !kind.output_from.empty());
      BOOST_TEST((kind.output == "*" || kTypes.count(kind.output) == 1));
      std::set<std::string> names;
      for (const ParamInfo& info : kind.params) {
        BOOST_TEST_CONTEXT(info.name) {
          BOOST_TEST(names.insert(info.name).second);
          BOOST_TEST(!info.doc.empty());
          const bool component = info.type == ParamType::component || info.type == ParamType::components;
          if (component) BOOST_TEST(!info.component_kind.empty());
          for (const std::string& type : info.accepts) BOOST_TEST(kTypes.count(type) == 1U);
        }
      }
    }
  }
  BOOST_TEST(plumb::find_stage_kind("train_") == nullptr);
}

BOOST_AUTO_TEST_CASE(defaults_are_valid_and_equal_those_of_the_structs) {
  const plumb::TrainSettings parsed =
      plumb::train_params().parse(Value::map({{"model", "base"}, {"data", "pairs"}, {"lora", Value::map()}}));
  BOOST_TEST(parsed.optimizer.name == "dpo");
  BOOST_TEST(parsed.training.learning_rate == 1e-5);
  BOOST_TEST(parsed.training.adam_beta2 == 0.999);
  BOOST_TEST(parsed.training.lr_scheduler_type == "linear");
  BOOST_TEST(!parsed.reference.has_value());
  const plumb::LoraParams lora = plumb::lora_params().parse(parsed.lora);
  BOOST_TEST(lora.r == 8);
  BOOST_TEST(lora.alpha == 16.0);
  BOOST_TEST(lora.target_modules.empty());
  BOOST_TEST(plumb::sft_params().parse(Value::map({{"model", "base"}, {"data", "d"}})).lora.is_null());
}

BOOST_AUTO_TEST_CASE(rules_between_parameters_name_their_key) {
  const auto train = [](std::pair<std::string, Value> a, std::pair<std::string, Value> b) {
    return Value::map({{"model", "base"}, {"data", "pairs"}, std::move(a), std::move(b)});
  };
  expect_broken("train", train({"warmup_ratio", 0.1}, {"warmup_steps", 5}), "warmup_ratio", "not both");
  expect_broken("train", train({"max_steps", 4}, {"warmup_steps", 5}), "warmup_steps", "4 updates");
  expect_broken("train", train({"batch_size", 4}, {"micro_batch_size", 8}), "micro_batch_size", "batch_size of 4");
  expect_broken("train", train({"pair_batching", "capped"}, {"batch_size", 4}), "pair_cap", "batch_size of 4");
  expect_broken("train", train({"batch_size", 4}, {"pair_cap", 4}), "pair_cap", "no effect");
  expect_broken("train", train({"batch_size", 4}, {"eval_steps", 4}), "eval_steps", "without `eval`");
  BOOST_TEST(broken("train", train({"eval", "held-out"}, {"eval_steps", 4})).empty());
  BOOST_TEST(broken("train", train({"device", "cuda:1"}, {"batch_size", 4})).empty());
  expect_broken("language_model", Value::map({{"model", "m"}, {"data", "d"}, {"eval_steps", 4}}), "eval_steps",
                "no `eval`");
  expect_broken("dataset", Value::map({{"source", "s"}, {"count_by", "prompts"}}), "count_by", "no effect");
  expect_broken("tokenizer", Value::map({{"path", "p"}, {"vocabulary_size", 300}}), "vocabulary_size", "no effect");
  expect_broken("model", Value::map(), "", "needs path");
  expect_broken("model", Value::map({{"path", "a"}, {"architecture", "llama2"}}), "architecture", "not both");
  expect_broken("model", Value::map({{"path", "a"}, {"config", Value::map()}}), "config", "random weights");
  expect_broken("model", Value::map({{"architecture", "llama2"}}), "", "config");
  expect_broken("model", Value::map({{"architecture", "llama2"}, {"config", Value::map()}}), "", "tokenizer");
  expect_broken("model", Value::map({{"architecture", "x"}, {"config", Value::map()}, {"tokenizer", "t"}}), "",
                "chat_format");
  expect_broken("sample", Value::map({{"model", "m"}, {"prompts", "p"}, {"temperature", 0}}), "k", "must be 1");
  const auto evaluate = [](Value models, std::pair<std::string, Value> more) {
    return Value::map({{"models", std::move(models)},
                       {"prompts", "p"},
                       {"evaluators", Value::list({"judge-score"})},
                       std::move(more)});
  };
  expect_broken("evaluate", evaluate(Value::List(), {"samples", 1}), "models", "empty");
  expect_broken("evaluate", evaluate(Value::list({"a", "a"}), {"samples", 1}), "models", "twice");
  expect_broken("evaluate", evaluate(Value::list({"a"}), {"baseline", "b"}), "baseline", "not in");
  expect_broken("evaluate", evaluate(Value::list({"a"}), {"samples", 2}), "samples", "must be 1");
  expect_broken("report", Value::map({{"of", Value::List()}}), "of", "empty");
}

BOOST_AUTO_TEST_CASE(broken_rules_also_stop_a_stage_body) {
  BOOST_CHECK_THROW(plumb::model_params().parse(Value::map()), plumb::Error);
  BOOST_CHECK_THROW(plumb::sft_params().parse(Value::map({{"model", "m"}, {"data", "d"}, {"device", "gpu"}})),
                    plumb::Error);
}

BOOST_AUTO_TEST_CASE(the_seed_counts_where_a_stage_draws) {
  const auto uses = [](const std::string& kind, const Value& given) {
    const StageKind& found = *plumb::find_stage_kind(kind);
    return !found.uses_seed || found.uses_seed(complete(found, given));
  };
  BOOST_TEST(!uses("dataset", Value::map({{"source", "s"}})));
  BOOST_TEST(uses("dataset", Value::map({{"source", "s"}, {"shuffle", true}})));
  BOOST_TEST(!uses("model", Value::map({{"path", "p"}})));
  BOOST_TEST(uses("model", Value::map({{"architecture", "a"}})));
  BOOST_TEST(uses("sft", Value::map({{"model", "m"}, {"data", "d"}})));
}

BOOST_AUTO_TEST_SUITE_END()
