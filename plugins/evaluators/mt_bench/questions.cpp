#include "questions.h"

#include <plumb/error.h>

#include <algorithm>

namespace mt_bench {
namespace {

using plumb::Value;

[[noreturn]] void fail(const plumb::Prompt& prompt, const std::string& what) {
  throw plumb::Error(plumb::ErrorCode::data, "mt-bench: prompt " + prompt.id + " " + what +
                                                 "; take the prompts from the source mt-bench-questions");
}

std::vector<std::string> texts(const plumb::Prompt& prompt, const char* key) {
  std::vector<std::string> found;
  const Value* list = prompt.extra.is_map() ? prompt.extra.find(key) : nullptr;
  if (list == nullptr || !list->is_list()) return found;
  for (const Value& text : list->as_list()) {
    if (!text.is_string()) fail(prompt, std::string("has something in `") + key + "` that is no text");
    found.push_back(text.as_string());
  }
  return found;
}

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// The written answers; the files mark what has none by an empty text, which is no reference to compare with.
bool complete(const std::vector<std::string>& references, std::size_t turns) {
  return references.size() >= turns &&
         std::none_of(references.begin(), references.begin() + static_cast<std::ptrdiff_t>(turns), blank);
}

}  // namespace

std::vector<Question> read_questions(const std::vector<plumb::Prompt>& prompts,
                                     const std::map<std::string, std::vector<std::string>>& references,
                                     const std::vector<std::string>& with_reference) {
  std::vector<Question> questions;
  for (const plumb::Prompt& prompt : prompts) {
    Question question;
    const Value* id = prompt.extra.is_map() ? prompt.extra.find("question_id") : nullptr;
    if (id == nullptr) fail(prompt, "has no question_id");
    question.written_id = *id;
    question.id = id->is_string() ? id->as_string() : std::to_string(id->as_int());
    const Value* category = prompt.extra.find("category");
    question.category = category != nullptr && category->is_string() ? category->as_string() : "general";
    question.turns = texts(prompt, "turns");
    if (question.turns.empty() || question.turns.size() > 2) fail(prompt, "has not one or two `turns`");
    question.prompt_id = prompt.id;
    if (std::find(with_reference.begin(), with_reference.end(), question.category) != with_reference.end()) {
      const auto given = references.find(question.id);
      question.references = given != references.end() ? given->second : texts(prompt, "reference");
      if (!complete(question.references, question.turns.size())) question.references.clear();
    }
    questions.push_back(std::move(question));
  }
  return questions;
}

plumb::Prompt turn_prompt(const Question& question, std::size_t turn, const std::vector<std::string>& answers) {
  plumb::Prompt prompt;
  prompt.id = turn == 0 ? question.prompt_id : question.prompt_id + "/" + std::to_string(turn + 1);
  for (std::size_t i = 0; i < turn; ++i) {
    prompt.messages.push_back({"user", question.turns[i]});
    prompt.messages.push_back({"assistant", blank(answers[i]) ? "(no answer)" : answers[i]});
  }
  prompt.messages.push_back({"user", question.turns[turn]});
  return prompt;
}

}  // namespace mt_bench
