// What the evaluators of one evaluate stage work with: the models' answers and their rewards, each computed once and
// kept on disk as soon as it is there, so that an interrupted evaluation loses nothing and two evaluators that ask the
// same get the same.
//
//   Answers answers({.models = {{"sft", folder, key}}, .prompts = prompts, .cache = work_folder}, models, judge, host);
//   try { evaluator.call(&Evaluator::evaluate, answers); }
//   catch (...) { answers.rethrow_own_failure(); throw; }
//
// Every model is sampled with the same draws, which makes differences between similar models sharper. One model is
// loaded at a time, and stays so until another is asked: the turns of a conversation are asked one after the other.
// Thread contract: [lane], except for the const methods, which are [any].
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "framework/core/telemetry/row_account.h"
#include "plumb/evaluator.h"
#include "plumb/language_models.h"

namespace plumb {

struct EvaluatedModel {
  std::string name;              // as the recipe gives it
  std::filesystem::path folder;  // a model folder
  std::string key;               // of its content: what is kept on disk belongs to it
};

struct AnswerSources {
  std::vector<EvaluatedModel> models;
  std::string baseline;  // one of the models, or empty
  std::vector<Prompt> prompts;
  AnswerOptions options;
  std::optional<EvaluatedModel> reward_model;
  bool truncate_left = false;   // of what it cannot read whole the end; else Error(data) before anything is scored
  Placement placement = {};     // of the models and of the reward model
  std::int64_t rows = 128;      // answers in flight
  std::uint64_t seed = 0;       // of the draws
  std::filesystem::path cache;  // a folder; made when it is needed
};

class Answers final : public EvaluationContext {
 public:
  // Borrows all but the sources. Throws Error(recipe) when the baseline is none of the models.
  Answers(AnswerSources sources, LanguageModels& models, Judge* judge, Host& host);
  ~Answers() override;

  [[nodiscard]] const std::vector<std::string>& models() const override { return names_; }
  [[nodiscard]] std::string baseline() const override { return sources_.baseline; }
  [[nodiscard]] const std::vector<Prompt>& prompts() const override { return sources_.prompts; }
  [[nodiscard]] AnswerOptions options() const override { return sources_.options; }
  // Throws Cancelled when the host is cancelled; what was sampled by then is kept.
  std::vector<std::string> answer(const std::string& model, std::span<const Prompt> prompts,
                                  const AnswerOptions& options) override;
  // Consecutive answers of one prompt are scored together.
  std::vector<double> reward(std::span<const Prompt> prompts, std::span<const std::string> answers) override;
  [[nodiscard]] Judge* judge() override { return judge_; }
  [[nodiscard]] std::uint64_t seed() const override { return sources_.seed; }

  // Of everything that was asked for so far: an evaluator may choose its own.
  [[nodiscard]] const std::set<double>& temperatures() const { return temperatures_; }
  // Answers that were cut, by model.
  [[nodiscard]] RowAccount account() const;
  // Answers of which the reward model read but the end; one that was asked for twice counts twice.
  [[nodiscard]] std::int64_t overlong_cut() const { return overlong_cut_; }

  // What answer or reward threw last, if they did: an evaluator's plugin boundary would make a plugin's error of it.
  void rethrow_own_failure() const;

 private:
  template <class F>
  auto noting_failure(F&& call);
  std::vector<std::string> ask(const EvaluatedModel& model, std::span<const Prompt> prompts,
                               const AnswerOptions& options);
  // Error(data) for what the model cannot read whole, unless it may be cut; then it is counted.
  void look_at_lengths(RewardHandle& reward_model, std::span<const ResponseGroup> groups);
  std::vector<double> score(const EvaluatedModel& model, std::span<const Prompt> prompts,
                            std::span<const std::string> answers);

  AnswerSources sources_;
  LanguageModels& language_models_;
  std::string open_key_;  // of the model that policy_ is
  std::unique_ptr<PolicyHandle> policy_;
  Judge* judge_;
  Host& host_;
  std::vector<std::string> names_;
  std::set<double> temperatures_;
  std::int64_t overlong_cut_ = 0;
  std::exception_ptr failure_;
  std::map<std::string, RowCount> cut_;  // by the question's name: two evaluators may ask the same
};

}  // namespace plumb
