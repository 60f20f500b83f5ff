#include "chat.h"

#include <openssl/evp.h>

#include <plumb/error.h>
#include <array>

namespace openai {
namespace {

using plumb::Value;

const Value* find(const Value* map, const char* key) {
  return map != nullptr && map->is_map() ? map->find(key) : nullptr;
}

// What a server counts is shown and added up, so a number that cannot be one of tokens is none.
std::int64_t count(const Value* usage, const char* key) {
  constexpr std::int64_t most = std::int64_t{1} << 40;
  const Value* found = find(usage, key);
  const std::int64_t counted = found != nullptr && found->type() == Value::Type::integer ? found->as_int() : 0;
  return counted >= 0 && counted <= most ? counted : 0;
}

// A text, or a list of parts of which those with a text are joined.
std::string text_of(const Value& content) {
  if (content.is_string()) return content.as_string();
  std::string text;
  if (!content.is_list()) return text;
  for (const Value& part : content.as_list()) {
    if (const Value* own = find(&part, "text"); own != nullptr && own->is_string()) text += own->as_string();
  }
  return text;
}

}  // namespace

std::string chat_body(const std::string& model, const plumb::Conversation& messages, double temperature,
                      std::int64_t max_tokens, const Value& extra) {
  Value::List list;
  for (const plumb::Message& message : messages) {
    list.push_back(Value::map({{"role", message.role}, {"content", message.content}}));
  }
  Value body = Value::map(
      {{"model", model}, {"messages", std::move(list)}, {"temperature", temperature}, {"max_tokens", max_tokens}});
  if (extra.is_map()) {
    for (const auto& [key, value] : extra.as_map()) body.set(key, value);
  }
  Value sent = Value::map();
  for (const auto& [key, value] : body.as_map()) {
    if (!value.is_null()) sent.set(key, value);
  }
  return plumb::to_json(sent, true);
}

ChatAnswer read_chat_answer(const std::string& body) {
  const Value root = plumb::parse_json(body, "the judge's response");
  const Value* choices = find(&root, "choices");
  if (choices == nullptr || !choices->is_list() || choices->as_list().empty()) {
    throw plumb::Error(plumb::ErrorCode::data, "the judge's response holds no `choices`");
  }
  const Value& choice = choices->as_list().front();
  const Value* message = find(&choice, "message");
  if (message == nullptr || !message->is_map()) {
    throw plumb::Error(plumb::ErrorCode::data, "the judge's response holds no `choices[0].message`");
  }
  ChatAnswer answer;
  if (const Value* content = message->find("content"); content != nullptr) answer.text = text_of(*content);
  const Value* usage = find(&root, "usage");
  answer.prompt_tokens = count(usage, "prompt_tokens");
  answer.completion_tokens = count(usage, "completion_tokens");
  if (answer.text.empty()) {
    const Value* reason = choice.find("finish_reason");
    answer.failure = "the judge gave no text (finish_reason " +
                     (reason != nullptr && reason->is_string() ? reason->as_string() : std::string("absent")) + ")";
  }
  return answer;
}

std::string request_hash(const std::string& url, const std::string& body) {
  const std::string hashed = url + '\n' + body;
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  if (EVP_Digest(hashed.data(), hashed.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw plumb::Error(plumb::ErrorCode::run_failed, "openai-judge: SHA-256 failed");
  }
  static constexpr const char* hex = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += hex[byte >> 4U];
    text += hex[byte & 15U];
  }
  return text;
}

}  // namespace openai
