// llama.cpp's own completions, not those of OpenAI's kind, which return no ids: tools/server/README.md, POST /completion.
// Its order of samplers puts the temperature last; here it is first, as everywhere in Plumbline.
#include <plumb/error.h>

#include "dialect.h"

namespace remote {
namespace {

using plumb::Value;

constexpr std::uint64_t seeds = 0x7fffffff;  // it has 32 bits, of which all ones mean "any"

class LlamaCpp final : public Dialect {
 public:
  [[nodiscard]] std::string target() const override { return "/completion"; }
  [[nodiscard]] std::string version_target() const override { return "/props"; }
  [[nodiscard]] std::string version_key() const override { return "build_info"; }

  [[nodiscard]] std::string body(const Question& q) const override {
    Value sent = Value::map({{"prompt", list_of(q.prompt)},
                             {"n_predict", q.max_new_tokens},
                             {"samplers", samplers()},
                             {"temperature", q.temperature},
                             {"top_k", top_k(q)},
                             {"top_p", q.top_p},
                             {"min_p", 0.0},
                             {"typical_p", 1.0},
                             {"top_n_sigma", -1.0},
                             {"xtc_probability", 0.0},
                             {"dynatemp_range", 0.0},
                             {"mirostat", 0},
                             {"repeat_penalty", 1.0},
                             {"presence_penalty", 0.0},
                             {"frequency_penalty", 0.0},
                             {"dry_multiplier", 0.0},
                             {"logit_bias", Value::list({})},
                             {"seed", static_cast<std::int64_t>(q.seed & seeds)},
                             {"stop", Value::list({})},
                             {"ignore_eos", false},
                             {"stream", false},
                             {"cache_prompt", true},
                             {"return_tokens", true}});
    if (!q.model.empty()) sent.set("model", q.model);
    return plumb::to_json(sent, true);
  }

  [[nodiscard]] Reply read(const std::string& body, const Question& q) const override {
    const Value root = parse_answer(body);
    const bool stopped = stopped_by_token(field(root, "stop_type"), "stop_type", "eos", "limit");
    const auto ids = ids_of(field(root, "tokens"));
    const auto read = integer_of(field(root, "tokens_evaluated"));
    if (!ids || ids->empty() || !read) refuse_without_ids("Use a llama-server that knows return_tokens");
    check_settings(root, q);
    return {.ids = *ids, .stopped = stopped, .holds_end = true, .prompt_tokens = read};
  }

 private:
  static Value samplers() { return Value::list({"temperature", "top_k", "top_p"}); }
  // Greedy: the most probable alone.
  static std::int64_t top_k(const Question& q) { return q.temperature == 0 ? 1 : q.top_k; }

  // The server repeats by what it sampled; a server that does not know a key passes over it.
  static void check_settings(const Value& root, const Question& q) {
    const Value* used = field(root, "generation_settings");
    if (used == nullptr) return;
    const Value* order = field(*used, "samplers");
    const bool same = order != nullptr && *order == samplers() && integer_of(field(*used, "top_k")) == top_k(q);
    if (same) return;
    throw plumb::Error(plumb::ErrorCode::run_failed, "the server samples otherwise than it was asked to: samplers " +
                                                         (order == nullptr ? "absent" : plumb::to_json(*order)) +
                                                         ", wanted " + plumb::to_json(samplers()) + " with top_k " +
                                                         std::to_string(top_k(q)) + "; use a newer llama-server");
  }
};

}  // namespace

const Dialect& llama_cpp = *new LlamaCpp;  // lives as long as the process

}  // namespace remote
