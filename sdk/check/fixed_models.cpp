#include "sdk/check/context.h"

namespace plumb::check {
namespace {

std::string text_of(const Prompt& prompt) {
  std::string out = prompt.id;
  for (const Message& message : prompt.messages) out += '\n' + message.role + ':' + message.content;
  return out;
}

class FixedPolicy final : public PolicyHandle {
 public:
  explicit FixedPolicy(const Host& host) : host_(host) {}

  void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    static const std::array<const char*, 5> words{"apple", "pear", "plum", "fig", "quince"};
    for (std::size_t i = 0; i < prompts.size() && !host_.cancelled(); ++i) {
      ResponseGroup group{prompts[i], {1, 2, 3}, {}, {}};
      for (std::int64_t k = 0; k < sampling.responses; ++k) {
        Random draw = Random(sampling.seed).derive(text_of(prompts[i])).derive(static_cast<std::uint64_t>(k));
        Response response;
        const std::uint64_t count =
            1 + draw.below(static_cast<std::uint64_t>(std::min<std::int64_t>(8, sampling.max_new_tokens)));
        for (std::uint64_t t = 0; t < count; ++t) {
          const auto token = sampling.temperature == 0 ? t % words.size() : draw.below(words.size());
          response.text += (t == 0 ? "" : " ") + std::string(words[token]);
          response.ids.push_back(static_cast<TokenId>(4 + token));
        }
        group.responses.push_back(std::move(response));
      }
      done(i, std::move(group));
    }
  }

 private:
  const Host& host_;
};

class FixedReward final : public RewardHandle {
 public:
  std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
    std::vector<std::vector<double>> out;
    for (const ResponseGroup& group : groups) {
      auto& rewards = out.emplace_back();
      for (const Response& response : group.responses) {
        rewards.push_back(4 * Random(1).derive(text_of(group.prompt)).derive(response.text).uniform() - 2);
      }
    }
    return out;
  }
};

// A byte is a token, 3 above its value; 2 ends an answer.
class FixedTexts final : public TextsHandle {
 public:
  [[nodiscard]] std::vector<TokenId> prompt_ids(const Prompt& prompt) const override {
    std::vector<TokenId> ids{1};
    for (const char c : text_of(prompt)) ids.push_back(3 + static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] std::string answer_text(std::span<const TokenId> ids) const override {
    std::string text;
    for (const TokenId id : ids) {
      if (id > 2 && id < 3 + 128) text += static_cast<char>(id - 3);
    }
    return text;
  }
  [[nodiscard]] std::vector<TokenId> ends() const override { return {2}; }
  [[nodiscard]] std::int64_t vocabulary() const override { return 259; }
  [[nodiscard]] std::int64_t context() const override { return 4096; }
};

}  // namespace

std::unique_ptr<TextsHandle> FixedModels::open_texts(const std::string&) {
  return std::make_unique<FixedTexts>();
}

std::unique_ptr<PolicyHandle> FixedModels::open_policy(const std::string&, const OpenOptions&) {
  return std::make_unique<FixedPolicy>(host_);
}

std::unique_ptr<RewardHandle> FixedModels::open_reward(const std::string&, const OpenOptions&) {
  return std::make_unique<FixedReward>();
}

}  // namespace plumb::check
