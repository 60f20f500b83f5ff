// The files that FastChat's tools read: model_answer/MODEL.jsonl and model_judgment/JUDGE_single.jsonl.
//
// Their `tstamp` is 0 and an answer's id is made of its content, so that the same evaluation gives the same bytes.
// Source: lm-sys/FastChat, llm_judge. Thread contract: functions are [any].
#pragma once

#include <plumb/judge.h>

#include <string>
#include <vector>

#include "judge_prompts.h"
#include "questions.h"

namespace mt_bench {

// One line each, with its line end.
std::string answer_line(const std::string& model, const Question& question, const std::vector<std::string>& turns);
// `score` is what the judgement came to, or nothing; FastChat writes -1 for that. The reason stands in `failure`.
std::string judgment_line(const std::string& model, const std::string& judge, const Question& question,
                          std::size_t turn, const RatingPrompt& prompt, const plumb::Judgement& judgement);

}  // namespace mt_bench
