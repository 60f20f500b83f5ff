#include "comparison_prompt.h"

#include <plumb/error.h>
#include <plumb/json_fields.h>

#include <string_view>

#include "../fill_template.h"
#include "python_literal.h"

namespace alpaca_eval {
namespace {

using plumb::Value;

constexpr const char* kTask =
    "You compare two answers to the same instruction. Prefer the one that does what was asked, correctly and "
    "completely, "
    "and that is easier to use; neither its place here nor its length is a reason. Say in one or two sentences what "
    "decides. Finish with one line that holds [[1]] if the first answer is better, [[2]] if the second is, or [[0]] if "
    "neither is.";
constexpr const char* kShown =
    "<instruction>\n{instruction}\n</instruction>\n\n<answer_1>\n{output_1}\n</answer_1>\n\n<answer_2>\n{output_2}\n"
    "</answer_2>";

constexpr std::string_view kStart = "<|im_start|>", kEnd = "<|im_end|>";

// The messages between the marks; a file without marks is one message of the user.
plumb::Conversation split_messages(const std::string& text) {
  plumb::Conversation messages;
  std::size_t at = text.find(kStart);
  if (at == std::string::npos) return {{"user", text}};
  for (; at != std::string::npos; at = text.find(kStart, at)) {
    const std::size_t role = at + kStart.size(), line = std::min(text.find('\n', role), text.size());
    const std::size_t end = std::min(text.find(kEnd, role), text.size());
    std::string content = line < end ? text.substr(line + 1, end - line - 1) : "";
    while (content.ends_with('\n')) content.pop_back();
    messages.push_back({text.substr(role, std::min(line, end) - role), std::move(content)});
    at = end;
  }
  return messages;
}

}  // namespace

ComparisonPrompt::ComparisonPrompt(const std::string& file)
    : template_(file.empty() ? plumb::Conversation{{"system", kTask}, {"user", kShown}}
                             : split_messages(plumb::read_text_file(file, std::uint64_t{1} << 20))) {
  std::string all;
  for (const plumb::Message& message : template_) all += message.content;
  for (const char* place : {"{instruction}", "{output_1}", "{output_2}"}) {
    if (all.find(place) == std::string::npos) {
      throw plumb::Error(plumb::ErrorCode::data,
                         file + ": no " + place + "; a comparison shows the instruction and both answers");
    }
  }
  asks_for_mark_ = all.find("[[1]]") != std::string::npos;
}

plumb::Conversation ComparisonPrompt::render(const std::string& instruction, const std::string& first,
                                             const std::string& second) const {
  plumb::Conversation messages = template_;
  for (plumb::Message& message : messages) {
    message.content = evaluators::fill_template(
        message.content, {{"instruction", instruction}, {"output_1", first}, {"output_2", second}});
  }
  return messages;
}

std::optional<double> ComparisonPrompt::verdict(const std::string& text) const {
  return asks_for_mark_ ? read_mark(text) : read_ranking(text);
}

const char* ComparisonPrompt::wanted() const {
  return asks_for_mark_ ? "verdict such as [[1]]" : "list such as [{'model': 'model_1', 'rank': 1}, …]";
}

std::optional<double> read_mark(const std::string& text) {
  std::optional<double> verdict;
  for (std::size_t at = text.find("[["); at != std::string::npos; at = text.find("[[", at + 1)) {
    if (at + 5 > text.size() || text.compare(at + 3, 2, "]]") != 0) continue;
    const char said = text[at + 2];
    if (said >= '0' && said <= '2') verdict = said == '1' ? 1.0 : said == '2' ? 0.0 : 0.5;
  }
  return verdict;
}

std::optional<double> read_ranking(const std::string& text) {
  const std::optional<Value> list = read_python_literal(text);
  if (!list || !list->is_list()) return std::nullopt;
  const Value* first = nullptr;
  for (const Value& entry : list->as_list()) {
    const Value* model = entry.is_map() ? entry.find("model") : nullptr;
    if (model == nullptr) return std::nullopt;  // alpaca_eval looks at every entry's
    if (first == nullptr && model->is_string() && model->as_string() == "model_1") first = &entry;
  }
  const Value* rank = first == nullptr ? nullptr : first->find("rank");
  if (rank == nullptr || (rank->type() != Value::Type::integer && rank->type() != Value::Type::real))
    return std::nullopt;
  if (rank->as_double() == 1) return 1.0;
  return rank->as_double() == 2 ? std::optional(0.0) : std::nullopt;
}

}  // namespace alpaca_eval
