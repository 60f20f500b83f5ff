#include "fastchat_files.h"

#include <plumb/json_rows.h>

namespace mt_bench {

using plumb::Value;

std::string answer_line(const std::string& model, const Question& question, const std::vector<std::string>& turns) {
  Value::List texts(turns.begin(), turns.end());
  plumb::Conversation content{{"model", model}, {"question", question.id}};
  for (const std::string& turn : turns) content.push_back({"assistant", turn});
  return plumb::to_json(Value::map({{"question_id", question.written_id},
                                    {"answer_id", plumb::content_id(content)},
                                    {"model_id", model},
                                    {"choices", Value::list({Value::map({{"index", 0}, {"turns", std::move(texts)}})})},
                                    {"tstamp", 0}})) +
         '\n';
}

std::string judgment_line(const std::string& model, const std::string& judge, const Question& question,
                          std::size_t turn, const RatingPrompt& prompt, const plumb::Judgement& judgement) {
  Value line = Value::map({{"question_id", question.written_id},
                           {"model", model},
                           {"judge", Value::list({judge, prompt.name})},
                           {"user_prompt", prompt.messages.back().content},
                           {"judgment", judgement.text},
                           {"score", judgement.score.value_or(-1)},
                           {"turn", static_cast<std::int64_t>(turn + 1)},
                           {"tstamp", 0}});
  if (!judgement.failure.empty()) line.set("failure", judgement.failure);
  return plumb::to_json(line) + '\n';
}

}  // namespace mt_bench
