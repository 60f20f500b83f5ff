// vLLM's completions: vllm/entrypoints/openai/completion/protocol.py. What is left out there falls back to the server's
// generation_config, so nothing is left out.
#include "dialect.h"

namespace remote {
namespace {

using plumb::Value;

class Vllm final : public Dialect {
 public:
  [[nodiscard]] std::string target() const override { return "/v1/completions"; }
  [[nodiscard]] std::string version_target() const override { return "/version"; }
  [[nodiscard]] std::string version_key() const override { return "version"; }

  [[nodiscard]] std::string body(const Question& q) const override {
    return plumb::to_json(Value::map({{"model", q.model},
                                      {"prompt", list_of(q.prompt)},
                                      {"n", 1},
                                      {"max_tokens", q.max_new_tokens},
                                      {"min_tokens", 0},
                                      {"temperature", q.temperature},
                                      {"top_k", q.top_k > 0 ? q.top_k : -1},
                                      {"top_p", q.top_p},
                                      {"min_p", 0.0},
                                      {"repetition_penalty", 1.0},
                                      {"presence_penalty", 0.0},
                                      {"frequency_penalty", 0.0},
                                      {"seed", static_cast<std::int64_t>(q.seed & INT64_MAX)},
                                      {"stop", Value::list({})},
                                      {"stop_token_ids", list_of(q.ends)},
                                      {"ignore_eos", false},
                                      {"echo", false},
                                      {"stream", false},
                                      {"add_special_tokens", false},
                                      {"skip_special_tokens", false},
                                      {"return_token_ids", true}}),
                          true);
  }

  [[nodiscard]] Reply read(const std::string& body, const Question&) const override {
    const Value root = parse_answer(body);
    const Value* choices = field(root, "choices");
    if (choices == nullptr || !choices->is_list() || choices->as_list().size() != 1) {
      throw NoAnswer("the answer holds no single choice");
    }
    const Value& choice = choices->as_list().front();
    const bool stopped = stopped_by_token(field(choice, "finish_reason"), "finish_reason", "stop", "length");
    const auto ids = ids_of(field(choice, "token_ids"));
    const auto prompt = ids_of(field(choice, "prompt_token_ids"));
    if (!ids || !prompt) refuse_without_ids("Use vLLM 0.10.2 or later, which knows return_token_ids");
    Reply reply{.ids = *ids, .stopped = stopped, .prompt = prompt};
    if (const auto by = integer_of(field(choice, "stop_reason"))) {
      reply.stopped_by = static_cast<plumb::TokenId>(*by);
    }
    return reply;
  }
};

}  // namespace

const Dialect& vllm = *new Vllm;  // lives as long as the process

}  // namespace remote
