// The key functions of every torch-free interface: their vtables and type information live in this library only, so
// that a plugin and the host agree on what a class is.
#include "plumb/component.h"

#include "plumb/data_source.h"
#include "plumb/evaluator.h"
#include "plumb/generator.h"
#include "plumb/judge.h"
#include "plumb/reward_model.h"
#include "plumb/selection_policy.h"
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
Judge::~Judge() = default;
WaitingJudge::~WaitingJudge() = default;
RewardModel::~RewardModel() = default;
BoundedReward::~BoundedReward() = default;

SelectionPolicy::~SelectionPolicy() = default;
std::optional<double> SelectionPolicy::threshold() const {
  return std::nullopt;
}

Tokenizer::~Tokenizer() = default;

}  // namespace v1
}  // namespace plumb
