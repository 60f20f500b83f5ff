// The questions of MT-Bench as the prompts of a stage carry them, with their reference answers.
//
//   const std::vector<Question> questions = read_questions(context.prompts(), references);
//
// Thread contract: functions are [any].
#pragma once

#include <plumb/records.h>
#include <plumb/value.h>

#include <map>
#include <string>
#include <vector>

namespace mt_bench {

struct Question {
  std::string id;
  plumb::Value written_id;              // as the file has it, a number or a text
  std::string category;                 // "general" when there is none
  std::vector<std::string> turns;       // one or two
  std::vector<std::string> references;  // by turn; empty when there are none
  std::string prompt_id;
};

// `references` by question id, from FastChat's reference_answer file; a question without one there keeps its own. Of
// categories outside `with_reference` references are not used. Error(data) for prompts that are no such questions.
std::vector<Question> read_questions(const std::vector<plumb::Prompt>& prompts,
                                     const std::map<std::string, std::vector<std::string>>& references,
                                     const std::vector<std::string>& with_reference);

// The conversation that turn `turn` (from 0) answers. An empty earlier answer stands in it as "(no answer)", since chat
// formats have no place for an empty message.
plumb::Prompt turn_prompt(const Question& question, std::size_t turn, const std::vector<std::string>& answers);

}  // namespace mt_bench
