// A reward model as the judge: its raw reward is the score, the higher reward wins a comparison.
#include <plumb/judge.h>
#include <plumb/language_models.h>
#include <mutex>

#include <plumb/plugin.h>

namespace {

class RewardJudge final : public plumb::Judge {
 public:
  struct Settings {
    std::string path, dtype = "float32";
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"rates answers with a reward model"};
    p.add(&Settings::path, "path", "reward-model folder").path().required();
    p.add(&Settings::dtype, "dtype", "of the weights").choices({"float32", "bfloat16"});
    return p;
  }

  RewardJudge(const Settings& settings, plumb::Host& host) {
    auto* models = static_cast<plumb::LanguageModels*>(host.query(plumb::LanguageModels::service));
    if (models == nullptr) throw plumb::Error(plumb::ErrorCode::plugin, "reward-judge: this host opens no models");
    model_ = models->open_reward(settings.path, {.dtype = settings.dtype});
  }

  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    plumb::ResponseGroup group{request.prompt, {}, {}, {}};
    group.responses.push_back({request.answer, {}, plumb::FinishReason::stop, {}});
    if (request.other) group.responses.push_back({*request.other, {}, plumb::FinishReason::stop, {}});
    std::vector<double> rewards;
    {
      const std::scoped_lock lock(mutex_);  // judge is [any], a reward handle is [lane]
      rewards = model_->score({&group, 1}).at(0);
    }
    plumb::Judgement judgement;
    judgement.score = rewards[0];
    if (request.other) judgement.preference = rewards[0] > rewards[1] ? 1.0 : rewards[0] < rewards[1] ? 0.0 : 0.5;
    return judgement;
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<plumb::RewardHandle> model_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.reward-judge", "1.0.0", "Apache-2.0", "a reward model as the judge") {
  registrar.add<RewardJudge>("reward-judge").yields({"score", "preference"}).needs({"language-models"});
}
