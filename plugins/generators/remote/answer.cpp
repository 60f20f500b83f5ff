#include "answer.h"

#include <plumb/error.h>
#include <algorithm>

namespace remote {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw plumb::Error(plumb::ErrorCode::run_failed, what);
}

bool is_end(plumb::TokenId id, const Question& question) {
  return std::find(question.ends.begin(), question.ends.end(), id) != question.ends.end();
}

void check_prompt(const Reply& reply, const Question& question) {
  const std::string cure = "; the answer is to another prompt. Start the server without what adds or cuts tokens";
  if (reply.prompt && *reply.prompt != question.prompt) {
    const auto [sent, read] =
        std::mismatch(question.prompt.begin(), question.prompt.end(), reply.prompt->begin(), reply.prompt->end());
    fail("the server read " + std::to_string(reply.prompt->size()) + " tokens of the " +
         std::to_string(question.prompt.size()) + " sent, others from place " +
         std::to_string(sent - question.prompt.begin()) + " on" + cure);
  }
  const auto sent = static_cast<std::int64_t>(question.prompt.size());
  if (reply.prompt_tokens && *reply.prompt_tokens != sent) {
    fail("the server read " + std::to_string(*reply.prompt_tokens) + " tokens for the " + std::to_string(sent) +
         " sent" + cure);
  }
}

// The token that ended the answer where the server took it away.
plumb::TokenId missing_end(const Reply& reply, const Question& question) {
  if (reply.stopped_by && is_end(*reply.stopped_by, question)) return *reply.stopped_by;
  if (!reply.stopped_by && !reply.holds_end && question.ends.size() == 1) return question.ends.front();
  const std::string found = reply.stopped_by    ? "token " + std::to_string(*reply.stopped_by)
                            : reply.ids.empty() ? "nothing"
                                                : "token " + std::to_string(reply.ids.back());
  fail("the server ended an answer at " + found + ", which is none of the " + std::to_string(question.ends.size()) +
       " tokens that end the model's answers; give the server the generation_config.json of the model's folder");
}

}  // namespace

plumb::Response answer_of(const Reply& reply, const Question& question) {
  check_prompt(reply, question);
  plumb::Response response;
  response.ids = reply.ids;
  for (const plumb::TokenId id : response.ids) {
    if (id >= question.vocabulary) {
      fail("the server drew token " + std::to_string(id) + ", but the model has " +
           std::to_string(question.vocabulary) + "; it serves another model");
    }
  }
  // A server that does not know an end goes on behind it: what stands before is the answer all the same.
  const auto end =
      std::find_if(response.ids.begin(), response.ids.end(), [&](plumb::TokenId id) { return is_end(id, question); });
  if (end != response.ids.end()) {
    response.ids.erase(end + 1, response.ids.end());
  } else if (reply.stopped) {
    response.ids.push_back(missing_end(reply, question));
  } else {
    response.finish = plumb::FinishReason::length;
  }
  const auto count = static_cast<std::int64_t>(response.ids.size());
  if (count > question.max_new_tokens) {
    fail("the server gave " + std::to_string(count) + " tokens, wanted at most " +
         std::to_string(question.max_new_tokens));
  }
  if (response.finish == plumb::FinishReason::length && count < question.max_new_tokens) {
    fail("the server cut an answer after " + std::to_string(count) + " tokens, wanted " +
         std::to_string(question.max_new_tokens) + ": its context is too short for " +
         std::to_string(question.prompt.size()) + " + " + std::to_string(question.max_new_tokens) +
         " tokens; start it with a longer one (vLLM: --max-model-len, llama.cpp: -c, which its slots share)");
  }
  return response;
}

}  // namespace remote
