// Language models for a stage that runs on rank 0 while the others help: what its policies are asked, all ranks answer.
//
//   if (!group.leads()) return serve(*models, group, context);
//   SharedModels shared(*models, group, context);          // instead of *models
//
// Reward models stay on rank 0. Thread contract: [lane].
#pragma once

#include <memory>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/engine/distributed/collective.h"
#include "plumb/language_models.h"

namespace plumb {

class SharedModels final : public LanguageModels {
 public:
  SharedModels(LanguageModels& own, Collective& group, StageContext& context);
  ~SharedModels() override;  // when the stage's work is done, or has failed: the others are let go

  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& options) override;
  std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions& options) override;

 private:
  class Policy;
  void ask(const Value& what);

  LanguageModels& own_;
  Collective& group_;
  StageContext& context_;
  int asked_ = 0;
};

// The others' part, until rank 0's SharedModels ends. Throws Cancelled when a rank was asked to stop while prompts were
// answered.
void serve(LanguageModels& own, Collective& group, StageContext& context);

}  // namespace plumb
