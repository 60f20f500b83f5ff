#include "framework/core/artifacts/prompts.h"

#include <algorithm>

namespace plumb {
namespace {

constexpr std::string_view kAnnotation = "annotation";

const Value* text_in(const Value& map, std::string_view key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  return found != nullptr && found->is_string() ? found : nullptr;
}

}  // namespace

std::optional<Conversation> prompt_messages(const Conversation& messages) {
  const auto last =
      std::find_if(messages.rbegin(), messages.rend(), [](const Message& message) { return message.role == "user"; });
  if (last == messages.rend()) return std::nullopt;
  return Conversation(messages.begin(), last.base());
}

std::optional<Prompt> asked_prompt(const Demonstration& row) {
  std::optional<Conversation> asked = prompt_messages(row.messages);
  if (!asked) return std::nullopt;
  return Prompt{row.id, std::move(*asked), row.extra};
}

Prompt annotated_prompt(const Preference& row) {
  Prompt prompt = row.prompt;
  if (prompt.extra.is_null()) prompt.extra = Value::map();
  prompt.extra.set(std::string(kAnnotation), Value::map({{"chosen", row.chosen}, {"rejected", row.rejected}}));
  return prompt;
}

std::optional<Preference> take_annotation(Prompt& prompt) {
  const Value* kept = prompt.extra.is_map() ? prompt.extra.find(kAnnotation) : nullptr;
  if (kept == nullptr) return std::nullopt;
  const Value *chosen = text_in(*kept, "chosen"), *rejected = text_in(*kept, "rejected");
  if (chosen == nullptr || rejected == nullptr) return std::nullopt;
  Preference out{prompt.id, {prompt.id, prompt.messages, {}}, chosen->as_string(), rejected->as_string(), {}, {}, {}};
  std::erase_if(prompt.extra.as_map(), [](const auto& entry) { return entry.key == kAnnotation; });
  if (prompt.extra.as_map().empty()) prompt.extra = Value();
  return out;
}

}  // namespace plumb
