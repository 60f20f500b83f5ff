// The LanguageModels service: folders opened as policies and reward models for components that see no tensors.
#include "plumb/language_models.h"

#include "framework/engine/rollout/rollout.h"
#include "framework/engine/rollout/scorer.h"
#include "plumb/policy_texts.h"

namespace plumb {
namespace {

class Policy final : public PolicyHandle {
 public:
  Policy(LanguageModel model, RolloutOptions how, Host& host) : model_(std::move(model)), how_(how), host_(host) {}

  void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    generate_responses(model_, prompts, sampling, how_, host_, done);
  }

 private:
  LanguageModel model_;
  RolloutOptions how_;
  Host& host_;
};

class Reward final : public RewardHandle {
 public:
  Reward(LanguageModel model, ScoringOptions how, Host& host) : model_(std::move(model)), how_(how), host_(host) {}

  std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
    return score_groups(model_, groups, how_, host_);
  }
  std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups) override {
    return score_excess(model_, groups, host_);
  }

 private:
  LanguageModel model_;
  ScoringOptions how_;
  Host& host_;
};

class Texts final : public TextsHandle {
 public:
  explicit Texts(const LanguageModel& model)
      : tokenizer_(model.tokenizer), format_(model.chat_format), limits_(token_limits(model)), shape_(model.shape()) {
    require_texts(model);
  }

  [[nodiscard]] std::vector<TokenId> prompt_ids(const Prompt& prompt) const override {
    return render_prompt(*format_, *tokenizer_, prompt);
  }
  [[nodiscard]] std::string answer_text(std::span<const TokenId> ids) const override {
    return format_->parse_completion(*tokenizer_, ids);
  }
  [[nodiscard]] std::vector<TokenId> ends() const override { return limits_.ends; }
  [[nodiscard]] std::int64_t vocabulary() const override { return limits_.drawn(shape_.vocabulary); }
  [[nodiscard]] std::int64_t context() const override { return shape_.context; }

 private:
  std::shared_ptr<Tokenizer> tokenizer_;
  const ChatFormat* format_;
  TokenLimits limits_;
  ModelShape shape_;
};

class FolderModels final : public LanguageModels, public PolicyTexts {
 public:
  FolderModels(const Registry& registry, Host& host) : registry_(registry), host_(host) {}

  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& options) override {
    return std::make_unique<Policy>(open(folder, options, false), RolloutOptions{.rows = options.rows}, host_);
  }
  std::unique_ptr<TextsHandle> open_texts(const std::string& folder) override {
    return std::make_unique<Texts>(open_language_model(folder, registry_, host_, {.values = false}));
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions& options) override {
    return std::make_unique<Reward>(
        open(folder, options, true),
        ScoringOptions{.batch_tokens = options.batch_tokens, .truncate_left = options.truncate_left}, host_);
  }

 private:
  LanguageModel open(const std::string& folder, const OpenOptions& options, bool reward_head) {
    LanguageModel model = open_language_model(
        folder, registry_, host_, {.placement = options.placement, .merge_adapter = true, .reward_head = reward_head});
    choose_chat_format(model, options.chat_format);
    return model;
  }

  const Registry& registry_;
  Host& host_;
};

}  // namespace

std::unique_ptr<LanguageModels> make_language_models(const Registry& registry, Host& host) {
  return std::make_unique<FolderModels>(registry, host);
}

}  // namespace plumb

// For the core, which opens the engine at run time (door/engine.h) and owns the result.
extern "C" plumb::LanguageModels* plumb_engine_make_language_models(const plumb::Registry& registry,
                                                                    plumb::Host& host) {
  return plumb::make_language_models(registry, host).release();
}
