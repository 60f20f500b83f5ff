// my-plugin: samples half of the answers to each prompt at a second temperature, for more varied candidates.
#include <plumb/error.h>
#include <plumb/generator.h>
#include <plumb/language_models.h>
#include <plumb/plugin.h>
#include <plumb/random.h>

namespace {

class MyPlugin final : public plumb::Generator {
 public:
  struct Settings {
    std::string path;
    double second_temperature = 1.5;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"half of the answers at a second temperature"};
    p.add(&Settings::path, "path", "the policy's folder; the sample stage gives its `model`").path();
    p.add(&Settings::second_temperature, "second_temperature", "of the second half").above(0);
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host& host) : second_(settings.second_temperature) {
    auto* models = static_cast<plumb::LanguageModels*>(host.query(plumb::LanguageModels::service));
    if (models == nullptr) {
      throw plumb::Error(plumb::ErrorCode::run_failed, "this process offers no language models to sample from");
    }
    policy_ = models->open_policy(settings.path);
  }

  void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
    plumb::Sampling first = sampling, second = sampling;
    second.responses = sampling.responses / 2;
    first.responses = sampling.responses - second.responses;
    second.temperature = second_;
    second.seed =
        plumb::Random(sampling.seed).derive("second half").bits();  // else the draws would be the first half's
    if (second.responses == 0) return policy_->generate(prompts, first, done);

    std::vector<plumb::ResponseGroup> groups(prompts.size());
    policy_->generate(prompts, first,
                      [&](std::size_t i, plumb::ResponseGroup&& group) { groups[i] = std::move(group); });
    policy_->generate(prompts, second, [&](std::size_t i, plumb::ResponseGroup&& group) {
      if (groups[i].responses.empty()) return;  // the first half was cancelled before this prompt
      for (auto& response : group.responses) groups[i].responses.push_back(std::move(response));
      done(i, std::move(groups[i]));
    });
  }

 private:
  double second_;
  std::unique_ptr<plumb::PolicyHandle> policy_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "answers at two temperatures" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").needs({"language-models"});
}
