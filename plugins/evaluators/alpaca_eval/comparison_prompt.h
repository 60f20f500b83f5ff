// The prompt that asks a language model which of two answers is better, and how its verdict is read.
//
//   const ComparisonPrompt prompt(settings.judge_prompt);            // empty: our own wording
//   request.messages = prompt.render(instruction, first, second);
//   judgement.preference = read_verdict(judgement.text);
//
// A file of alpaca_eval is taken as it is: its <|im_start|> marks make the messages, {instruction}, {output_1} and
// {output_2} are filled in. Source: tatsu-lab/alpaca_eval. Thread contract: const methods are [any].
#pragma once

#include <plumb/records.h>

#include <optional>
#include <string>

namespace alpaca_eval {

class ComparisonPrompt {
 public:
  // Error(data) for a file without all three places to fill.
  explicit ComparisonPrompt(const std::string& file);
  [[nodiscard]] plumb::Conversation render(const std::string& instruction, const std::string& first,
                                           const std::string& second) const;

 private:
  plumb::Conversation template_;
};

// 1 when the first wins, 0 when the second does, 0.5 for neither; nothing when the text does not say. Understood are
// [[1]], [[2]] and [[0]], the last one counting, and alpaca_eval's list of {'model': 'model_1', 'rank': 1}.
std::optional<double> read_verdict(const std::string& text);

}  // namespace alpaca_eval
