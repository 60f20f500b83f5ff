// Rewards by a model with a `score` head (Hugging Face's …ForSequenceClassification with one label), read at the last
// token.
#include <plumb/error.h>
#include <plumb/language_models.h>
#include <plumb/reward_model.h>

#include <plumb/plugin.h>

namespace {

class ClassifierHead final : public plumb::RewardModel {
 public:
  struct Settings {
    std::string path;
    std::string dtype = "float32", device = "cpu";
    std::int64_t batch_tokens = 8192;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"the raw output of a reward model's `score` head at the last token of an answer"};
    p.add(&Settings::path, "path", "the reward model's folder; the score stage gives its `reward_model`").path();
    p.add(&Settings::dtype, "dtype", "of the weights; int8: linear layers in 8-bit rows, computed in float32")
        .choices({"float32", "bfloat16", "int8"});
    p.add(&Settings::device, "device", "cpu, or cuda with an index, such as cuda:0");
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
    model_ = models->open_reward(
        settings.path, {.dtype = settings.dtype, .device = settings.device, .batch_tokens = settings.batch_tokens});
  }

  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
    return model_->score(groups);
  }

 private:
  std::unique_ptr<plumb::RewardHandle> model_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.classifier-head", "1.0.0", "Apache-2.0", "rewards by a model's score head") {
  registrar.add<ClassifierHead>("classifier-head").needs({"language-models"});
}
