// From artifacts to rows of token ids: what training stages read.
//
//   TrainingRows<PairRows> read = pair_rows(context.input("data"), model, {.max_length = 1024}, context);
//   read.counts.tell(context, "data");
//
// Texts are rendered in the model's chat format; sampled responses keep the ids that were sampled. Rows that cannot be
// learnt from are left out and counted by reason.
// Thread contract: functions are [any]; rendering runs on the host's pool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/catalogue/stage.h"
#include "framework/core/telemetry/row_account.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/training/online_objective.h"
#include "framework/engine/training/pair_rows.h"
#include "framework/engine/training/token_objective.h"
#include "plumb/host.h"

namespace plumb {

struct RowCounts {
  std::int64_t read = 0, kept = 0;

  // `first` says which one, and what it has; the reason and its cure say what holds for all.
  void drop(const std::string& reason, const std::string& first, const std::string& cure = {});
  void note(const char* what, const std::string& reason, const std::string& first, const std::string& cure = {});
  void add(RowCount other) { notes_.push_back(std::move(other)); }  // of another unit, with its own total
  [[nodiscard]] std::int64_t count(const std::string& reason) const;
  // The account of these rows of the input named by `param`.
  [[nodiscard]] RowAccount account(const std::string& param) const;
  // To the stage's summary (`rows`, of the training data alone) and account.
  void tell(StageContext& context, const std::string& param) const;

 private:
  std::vector<RowCount> notes_;
};

template <class Rows>
struct TrainingRows {
  Rows rows;
  RowCounts counts;
};

struct RowOptions {
  std::int64_t max_length = 1024;  // tokens of a row; the model's context bounds it, too
  bool learn_all = false;          // demonstrations: every token instead of the assistant's
  bool use_sampled_ids = true;     // pairs: false renders the texts (a reward model has a tokenizer of its own)
};

// max_length, or the model's context where that is shorter.
std::int64_t row_limit(const LanguageModel& model, const RowOptions& options);

// Why rows are left out, as the account words it.
namespace row_reason {
inline constexpr const char* nothing_to_learn = "no token of it carries loss";
inline constexpr const char* not_rendered = "the chat format cannot write it";
inline constexpr const char* identical = "chosen and rejected are the same tokens";
inline constexpr const char* repeated = "the same answer to the prompt came before";
inline constexpr const char* cut_into_rows = "longer than a row, so learnt as several";
// "longer than max_length 512", or than the model's context where that is shorter.
std::string too_long(const LanguageModel& model, const RowOptions& options);
std::string too_long_cure(const LanguageModel& model, const RowOptions& options);
}  // namespace row_reason

// Demonstrations. Throws Error(data) when nothing is left, with the reasons.
TrainingRows<TokenRows> demonstration_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                           Host& host);
// Texts or demonstrations, every token learnt; a longer text is cut into several rows.
TrainingRows<TokenRows> language_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                      Host& host);
// Pairs or preferences, as prompts with their unique responses: equal prompts share a group, equal answers a response.
// Throws Error(data) for sampled ids whose prompt this model would render otherwise: another tokenizer or chat format.
TrainingRows<PairRows> pair_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                 Host& host);

// Prompts for an online optimizer: those that leave room for `max_new_tokens` within max_length and the context.
TrainingRows<std::vector<PromptRow>> prompt_rows(const Artifact& data, const LanguageModel& model,
                                                 std::int64_t max_new_tokens, const RowOptions& options, Host& host);

}  // namespace plumb
