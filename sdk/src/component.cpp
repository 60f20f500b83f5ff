// The key functions of every torch-free interface: their vtables and type information live in this library only, so
// that a plugin and the host agree on what a class is.
#include "plumb/component.h"

#include "plumb/data_source.h"
#include "plumb/evaluator.h"
#include "plumb/generator.h"
#include "plumb/judge.h"
#include "plumb/reward_model.h"
#include "plumb/selection_policy.h"
#include "plumb/served_generator.h"
#include "plumb/stage.h"
#include "plumb/tokenizer.h"

namespace plumb {
inline namespace v1 {

Component::~Component() = default;

DataSource::~DataSource() = default;
std::map<std::string, std::size_t> DataSource::skipped() const {
  return {};
}
std::vector<std::string> DataSource::files() const {
  return {};
}

EvaluationContext::~EvaluationContext() = default;
Evaluator::~Evaluator() = default;
Generator::~Generator() = default;
ServedGenerator::~ServedGenerator() = default;
Judge::~Judge() = default;
WaitingJudge::~WaitingJudge() = default;
RewardModel::~RewardModel() = default;
BoundedReward::~BoundedReward() = default;

SelectionPolicy::~SelectionPolicy() = default;
std::optional<double> SelectionPolicy::threshold() const {
  return std::nullopt;
}

Stage::~Stage() = default;
StageNeeds Stage::estimate(const StageFacts&) const {
  return {};
}

StageRun::~StageRun() = default;
StageInput StageRun::input(std::string_view param) const {
  std::vector<StageInput> all = inputs(param);
  if (all.size() == 1) return std::move(all.front());
  throw Error(ErrorCode::recipe, "the input `" + std::string(param) + "` names " + std::to_string(all.size()) +
                                     " artifacts, wanted one stage, dataset or model");
}
Error StageRun::wrong_record(const StageInput& input) {
  return {ErrorCode::plugin, "the stage asked `" + input.name + "`, whose type is " + input.type +
                                 ", for rows of another record (plumb/rows.h says which is whose)"};
}

Tokenizer::~Tokenizer() = default;

}  // namespace v1
}  // namespace plumb
