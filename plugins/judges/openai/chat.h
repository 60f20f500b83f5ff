// The body of a chat-completions request and what comes back.
//
//   const std::string body = chat_body(settings, messages, 0.0);
//   const ChatAnswer answer = read_chat_answer(response.body);       // Error(data) when it is not one
//
// Source: the public API reference of OpenAI's chat completions. Thread contract: functions are [any].
#pragma once

#include <plumb/records.h>
#include <plumb/value.h>
#include <cstdint>
#include <string>

namespace openai {

struct ChatAnswer {
  std::string text;
  std::string failure;  // why the server gave no text, such as a filter; empty when it gave one
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
};

// Keys of `extra`, a map or null, stand beside the others and replace them; one that is null takes the key out.
std::string chat_body(const std::string& model, const plumb::Conversation& messages, double temperature,
                      std::int64_t max_tokens, const plumb::Value& extra);

ChatAnswer read_chat_answer(const std::string& body);

// The same request asked of the same address has the same hash: lower-case hex of SHA-256. The key is no part of it.
std::string request_hash(const std::string& url, const std::string& body);

}  // namespace openai
