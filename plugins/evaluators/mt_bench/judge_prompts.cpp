#include "judge_prompts.h"

#include <plumb/error.h>
#include <plumb/json_rows.h>

#include "../fill_template.h"

namespace mt_bench {
namespace {

constexpr const char* kTask =
    "You grade what an assistant answered. Look at four things, the first ones first: whether the answer does what the "
    "user wants, whether it is right, whether something is missing, and whether it is easy to follow. A long answer is "
    "not better for being long. ";
constexpr const char* kWithReference =
    "A correct answer is given for comparison. Check the assistant's answer against it step by step and name every "
    "mistake you find; another way to the same result is no mistake. ";
constexpr const char* kSecondTurn =
    "The conversation has two turns of the user. Grade only the assistant's answer to the second; the first is there "
    "so "
    "that you know what it refers to. ";
constexpr const char* kVerdict =
    "Say in a few sentences why. Finish with one line that holds your grade from 1 (of no use) to 10 (nothing to "
    "improve) in double square brackets, in this form: Rating: [[4]]";

constexpr const char* kOneTurn = "<question>\n{question}\n</question>\n\n";
constexpr const char* kOneReference = "<correct_answer>\n{ref_answer_1}\n</correct_answer>\n\n";
constexpr const char* kOneAnswer = "<assistant_answer>\n{answer}\n</assistant_answer>";
constexpr const char* kTwoReferences =
    "<correct_answers>\n<first>\n{ref_answer_1}\n</first>\n<second>\n{ref_answer_2}\n</second>\n</correct_answers>\n\n";
constexpr const char* kTwoTurns =
    "<user_turn_1>\n{question_1}\n</user_turn_1>\n\n<assistant_answer_1>\n{answer_1}\n</assistant_answer_1>\n\n"
    "<user_turn_2>\n{question_2}\n</user_turn_2>\n\n<assistant_answer_2>\n{answer_2}\n</assistant_answer_2>";

std::string name_of(const std::string& prefix, bool with_reference, bool second_turn) {
  return prefix + (with_reference ? "-math-v1" : "-v1") + (second_turn ? "-multi-turn" : "");
}

}  // namespace

JudgePrompts::JudgePrompts(const std::string& file) : prefix_(file.empty() ? "plumbline" : "single") {
  if (file.empty()) {
    for (const bool reference : {false, true}) {
      for (const bool second : {false, true}) {
        const std::string task =
            std::string(kTask) + (reference ? kWithReference : "") + (second ? kSecondTurn : "") + kVerdict;
        const std::string shown = second ? std::string(reference ? kTwoReferences : "") + kTwoTurns
                                         : std::string(kOneTurn) + (reference ? kOneReference : "") + kOneAnswer;
        templates_[name_of(prefix_, reference, second)] = {task, shown};
      }
    }
    return;
  }
  plumb::JsonRows rows(file);
  while (const auto row = rows.next()) {
    templates_[rows.fields().text(*row, "name")] = {rows.fields().text_or(*row, "system_prompt", ""),
                                                    rows.fields().text(*row, "prompt_template")};
  }
  for (const bool reference : {false, true}) {
    for (const bool second : {false, true}) {
      if (templates_.contains(name_of(prefix_, reference, second))) continue;
      throw plumb::Error(plumb::ErrorCode::data, file + ": no row named " + name_of(prefix_, reference, second) +
                                                     "; mt-bench needs all four single-… templates");
    }
  }
}

RatingPrompt JudgePrompts::render(const RatedTurns& turns) const {
  const bool second = turns.answers.size() > 1;
  RatingPrompt prompt{name_of(prefix_, !turns.references.empty(), second), {}};
  std::map<std::string, std::string, std::less<>> values{{"question", turns.questions[0]},
                                                         {"answer", turns.answers.back()}};
  for (std::size_t turn = 0; turn < turns.answers.size(); ++turn) {
    const std::string number = "_" + std::to_string(turn + 1);
    values["question" + number] = turns.questions[turn];
    values["answer" + number] = turns.answers[turn];
    if (turn < turns.references.size()) values["ref_answer" + number] = turns.references[turn];
  }
  const Template& chosen = templates_.at(prompt.name);
  if (!chosen.system.empty()) prompt.messages.push_back({"system", chosen.system});
  prompt.messages.push_back({"user", evaluators::fill_template(chosen.user, values)});
  return prompt;
}

}  // namespace mt_bench
