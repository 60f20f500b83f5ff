// Rewards by a model with a reward head: Hugging Face's …ForSequenceClassification with one label, or Open Assistant's.
#include <plumb/error.h>
#include <plumb/language_models.h>
#include <plumb/reward_model.h>

#include <plumb/plugin.h>

namespace {

class ClassifierHead final : public plumb::RewardModel, public plumb::BoundedReward {
 public:
  struct Settings {
    std::string path;
    std::string overlong = "error";
    plumb::RewardReading reading;
    std::int64_t batch_tokens = 8192;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{
        "the raw output of a reward model's head, read where its config.json says: after the answer's EOS, unless that "
        "is its padding"};
    p.add(&Settings::path, "path", "the reward model's folder; the score stage gives its `reward_model`").path();
    p.add(&Settings::overlong, "overlong",
          "an answer that is longer with its prompt than the model reads: error ends the stage before anything is "
          "scored, drop leaves the answer out, truncate-left reads the end of both; counted in the stage's summary")
        .choices({"error", "drop", "truncate-left"});
    p.include(&Settings::reading, plumb::RewardReading::params());
    p.add(&Settings::batch_tokens, "batch_tokens", "of one forward pass; bounds its memory").at_least(1).unit("tokens");
    return p;
  }

  ClassifierHead(const Settings& settings, plumb::Host& host) {
    auto* models = static_cast<plumb::LanguageModels*>(host.query(plumb::LanguageModels::service));
    if (models == nullptr) {
      throw plumb::Error(plumb::ErrorCode::run_failed, "this process offers no language models to score with");
    }
    if (settings.path.empty()) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "path: no model folder is given; name one, or a `reward_model` of the stage");
    }
    overlong_ = settings.overlong == "drop"            ? Overlong::drop
                : settings.overlong == "truncate-left" ? Overlong::truncate_left
                                                       : Overlong::error;
    model_ = models->open_reward(settings.path, {.placement = settings.reading.placement,
                                                 .batch_tokens = settings.batch_tokens,
                                                 .chat_format = settings.reading.chat_format,
                                                 .truncate_left = overlong_ == Overlong::truncate_left});
  }

  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
    return model_->score(groups);
  }
  [[nodiscard]] Overlong overlong() const override { return overlong_; }
  [[nodiscard]] std::vector<std::vector<std::int64_t>> excess(std::span<const plumb::ResponseGroup> groups) override {
    return model_->excess(groups);
  }

 private:
  Overlong overlong_ = Overlong::error;
  std::unique_ptr<plumb::RewardHandle> model_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.classifier-head", "1.0.0", "Apache-2.0",
             "rewards by a model's score head" PLUMB_STATUS("stable")) {
  registrar.add<ClassifierHead>("classifier-head").needs({"language-models"});
}
