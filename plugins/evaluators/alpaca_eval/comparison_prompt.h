// The prompt that asks a language model which of two answers is better, and how its verdict is read.
//
//   const ComparisonPrompt prompt(settings.judge_prompt);            // empty: our own wording
//   request.messages = prompt.render(instruction, first, second);
//   judgement.preference = prompt.verdict(judgement.text);
//
// A file of alpaca_eval is taken as it is: its <|im_start|> marks make the messages, {instruction}, {output_1} and
// {output_2} are filled in. What the prompt asks for is what is read, and nothing else: an answer under comparison may
// hold, and a judge may repeat, whatever looks like a verdict of the other kind.
// Source: tatsu-lab/alpaca_eval. Thread contract: const methods are [any].
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
  // 1 when the first wins, 0 when the second does, 0.5 for neither; nothing when the text does not say.
  [[nodiscard]] std::optional<double> verdict(const std::string& text) const;
  // What `verdict` reads, in words: "verdict such as [[1]]".
  [[nodiscard]] const char* wanted() const;

 private:
  plumb::Conversation template_;
  bool asks_for_mark_ = false;  // the prompt itself writes [[1]]
};

// [[1]], [[2]] or [[0]]; of several the last one counts.
std::optional<double> read_mark(const std::string& text);

// The whole text as a Python literal, a list of {'model': 'model_1', 'rank': 1}: the rank of the first entry for model_1
// is 1 (the first wins) or 2. Source: ranking_parser of alpaca_eval.
std::optional<double> read_ranking(const std::string& text);

}  // namespace alpaca_eval
