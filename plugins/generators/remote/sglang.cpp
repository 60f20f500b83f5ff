// SGLang's own interface: docs/basic_usage/native_api and sampling_params of its repository. Its sampler applies top_k
// and top_p to the same probabilities, not one after the other.
#include "dialect.h"

namespace remote {
namespace {

using plumb::Value;

constexpr std::uint64_t seeds = 0x7fffffff;  // what its generators take everywhere

class SgLang final : public Dialect {
 public:
  [[nodiscard]] std::string target() const override { return "/generate"; }
  [[nodiscard]] std::string version_target() const override { return "/get_server_info"; }
  [[nodiscard]] std::string version_key() const override { return "version"; }
  [[nodiscard]] bool filters_in_order() const override { return false; }

  [[nodiscard]] std::string body(const Question& q) const override {
    const Value sampling = Value::map({{"n", 1},
                                       {"max_new_tokens", q.max_new_tokens},
                                       {"min_new_tokens", 0},
                                       {"temperature", q.temperature},
                                       {"top_k", q.top_k > 0 ? q.top_k : -1},
                                       {"top_p", q.top_p},
                                       {"min_p", 0.0},
                                       {"repetition_penalty", 1.0},
                                       {"presence_penalty", 0.0},
                                       {"frequency_penalty", 0.0},
                                       {"sampling_seed", static_cast<std::int64_t>(q.seed & seeds)},
                                       {"stop_token_ids", list_of(q.ends)},
                                       {"ignore_eos", false},
                                       {"no_stop_trim", true},
                                       {"skip_special_tokens", false}});
    return plumb::to_json(
        Value::map({{"input_ids", list_of(q.prompt)}, {"sampling_params", sampling}, {"stream", false}}), true);
  }

  [[nodiscard]] Reply read(const std::string& body, const Question&) const override {
    const Value root = parse_answer(body);
    const Value* about = field(root, "meta_info");
    const Value* reason = about == nullptr ? nullptr : field(*about, "finish_reason");
    const Value* type = reason == nullptr ? nullptr : field(*reason, "type");
    const bool stopped = stopped_by_token(type, "finish_reason", "stop", "length");
    const auto ids = ids_of(field(root, "output_ids"));
    const auto read = integer_of(field(*about, "prompt_tokens"));
    if (!ids || !read) refuse_without_ids("Use an SGLang whose /generate gives output_ids and prompt_tokens");
    Reply reply{.ids = *ids, .stopped = stopped, .prompt_tokens = read};
    if (const auto by = integer_of(field(*reason, "matched"))) reply.stopped_by = static_cast<plumb::TokenId>(*by);
    return reply;
  }
};

}  // namespace

const Dialect& sglang = *new SgLang;  // lives as long as the process

}  // namespace remote
