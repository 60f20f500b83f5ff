// The prompts that ask a language model to rate an answer of MT-Bench.
//
//   const JudgePrompts prompts(settings.judge_prompts);               // empty: our own wording
//   const RatingPrompt asked = prompts.render({.questions = q, .answers = a, .references = {}});
//
// FastChat's judge_prompts.jsonl gives other ones: its rows single-v1, single-math-v1 and both with -multi-turn.
// Source: Zheng et al., arXiv:2306.05685, for the method. Thread contract: const methods are [any].
#pragma once

#include <plumb/records.h>
#include <map>
#include <span>
#include <string>

namespace mt_bench {

struct RatedTurns {
  std::span<const std::string> questions, answers;  // of the turns so far; the last answer is rated
  std::span<const std::string> references;          // of the same turns, or none
};

struct RatingPrompt {
  std::string name;  // of the template
  plumb::Conversation messages;
};

class JudgePrompts {
 public:
  // Error(data) when the file lacks one of the four rows.
  explicit JudgePrompts(const std::string& file);
  [[nodiscard]] RatingPrompt render(const RatedTurns& turns) const;

 private:
  struct Template {
    std::string system, user;
  };
  std::map<std::string, Template> templates_;
  std::string prefix_;
};

}  // namespace mt_bench
