#include "framework/core/catalogue/catalogue.h"

namespace plumb {

ParamIssue to_issue(const std::string& broken_rule, const Value& params) {
  const auto colon = broken_rule.find(": ");
  const std::string key = colon == std::string::npos ? "" : broken_rule.substr(0, colon);
  const Value* value = params.find(key);
  if (value == nullptr) return {"", params.mark, broken_rule, ""};
  return {key, value->mark, broken_rule.substr(colon + 2), ""};
}

const std::vector<StageKind>& stage_catalogue() {
  static const std::vector<StageKind> kinds = {
      dataset_kind(), mix_kind(),          model_kind(),  tokenizer_kind(), language_model_kind(),
      sft_kind(),     reward_model_kind(), sample_kind(), score_kind(),     select_kind(),
      train_kind(),   evaluate_kind(),     report_kind(),
  };
  return kinds;
}

const StageKind* find_stage_kind(const std::string& kind) {
  for (const StageKind& known : stage_catalogue()) {
    if (known.kind == kind) return &known;
  }
  return nullptr;
}

const StageKind* kind_of_section(const std::string& section) {
  for (const StageKind& known : stage_catalogue()) {
    if (known.section == section && section != StageKind{}.section) return &known;
  }
  return nullptr;
}

std::vector<std::string> stage_kind_names() {
  std::vector<std::string> out;
  for (const StageKind& known : stage_catalogue()) {
    if (known.section == StageKind{}.section) out.push_back(known.kind);
  }
  return out;
}

}  // namespace plumb
