// A reward model as the judge: its raw reward is the score, the higher reward wins a comparison.
#include <plumb/judge.h>
#include <plumb/language_models.h>
#include <algorithm>
#include <mutex>
#include <string>

#include <plumb/plugin.h>

namespace {

class RewardJudge final : public plumb::Judge {
 public:
  struct Settings {
    std::string path, overlong = "error";
    plumb::RewardReading reading;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"rates answers with a reward model"};
    p.add(&Settings::path, "path", "reward-model folder").path().required();
    p.add(&Settings::overlong, "overlong",
          "an answer that is longer with its prompt than the model reads: error ends the stage, drop makes it a failed "
          "judgement, which the evaluators count")
        .choices({"error", "drop"});
    p.include(&Settings::reading, plumb::RewardReading::params());
    return p;
  }

  RewardJudge(const Settings& settings, plumb::Host& host) {
    auto* models = static_cast<plumb::LanguageModels*>(host.query(plumb::LanguageModels::service));
    if (models == nullptr) throw plumb::Error(plumb::ErrorCode::plugin, "reward-judge: this host opens no models");
    drops_ = settings.overlong == "drop";
    model_ = models->open_reward(
        settings.path, {.placement = settings.reading.placement, .chat_format = settings.reading.chat_format});
  }

  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    plumb::ResponseGroup group{request.prompt, {}, {}, {}};
    group.responses.push_back({request.answer, {}, plumb::FinishReason::stop, {}});
    if (request.other) group.responses.push_back({*request.other, {}, plumb::FinishReason::stop, {}});
    std::vector<double> rewards;
    plumb::Judgement judgement;
    {
      const std::scoped_lock lock(mutex_);  // judge is [any], a reward handle is [lane]
      if (drops_) {
        const auto excess = model_->excess({&group, 1}).at(0);
        const std::int64_t most = *std::max_element(excess.begin(), excess.end());
        if (most > 0) {
          judgement.failure = "the answer is " + std::to_string(most) + " tokens too long for the reward model";
          return judgement;
        }
      }
      rewards = model_->score({&group, 1}).at(0);
    }
    judgement.score = rewards[0];
    if (request.other) judgement.preference = rewards[0] > rewards[1] ? 1.0 : rewards[0] < rewards[1] ? 0.0 : 0.5;
    return judgement;
  }

 private:
  bool drops_ = false;
  std::mutex mutex_;
  std::unique_ptr<plumb::RewardHandle> model_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.reward-judge", "1.0.0", "Apache-2.0",
             "a reward model as the judge" PLUMB_STATUS("stable")) {
  registrar.add<RewardJudge>("reward-judge").yields({"score", "preference"}).needs({"language-models"});
}
