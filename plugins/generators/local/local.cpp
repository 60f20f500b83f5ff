// Sampling with the framework's own engine: a model folder on this machine.
#include <plumb/error.h>
#include <plumb/generator.h>
#include <plumb/language_models.h>

#include <plumb/plugin.h>

namespace {

class Local final : public plumb::Generator {
 public:
  struct Settings {
    std::string path;
    std::int64_t rows = 128;
    plumb::Placement placement;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{
        "sample from a model folder on this machine: the prompt computed once for its k answers, "
        "finished answers replaced at once"};
    p.add(&Settings::path, "path", "the policy's folder; the sample stage gives its `model`").path();
    p.add(&Settings::rows, "rows", "answers in flight; bounds the memory of keys and values")
        .at_least(1)
        .at_most(65536);
    p.include(&Settings::placement, plumb::Placement::params());
    return p;
  }

  Local(const Settings& settings, plumb::Host& host) {
    auto* models = static_cast<plumb::LanguageModels*>(host.query(plumb::LanguageModels::service));
    if (models == nullptr) {
      throw plumb::Error(plumb::ErrorCode::run_failed, "this process offers no language models to sample from");
    }
    if (settings.path.empty()) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "path: no model folder is given; name one, or a `model` of the stage");
    }
    policy_ = models->open_policy(settings.path, {.placement = settings.placement, .rows = settings.rows});
  }

  void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
    policy_->generate(prompts, sampling, done);
  }

 private:
  std::unique_ptr<plumb::PolicyHandle> policy_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.local", "1.0.0", "Apache-2.0",
             "sampling on this machine" PLUMB_STATUS("stable")) {
  registrar.add<Local>("local").needs({"language-models"});
}
