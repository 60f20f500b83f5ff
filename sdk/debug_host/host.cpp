#include "sdk/debug_host/host.h"

namespace plumb::debug_host {
namespace {

class WatchedPolicy final : public Watched<PolicyHandle> {
 public:
  using Watched::Watched;
  void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    const Watch::Call call(watch(), "generate", Tag::lane);
    inner().generate(prompts, sampling, done);
  }
};

class WatchedReward final : public Watched<RewardHandle> {
 public:
  using Watched::Watched;
  std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
    const Watch::Call call(watch(), "score", Tag::lane);
    return inner().score(groups);
  }
  std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups) override {
    const Watch::Call call(watch(), "excess", Tag::lane);
    return inner().excess(groups);
  }
};

}  // namespace

std::shared_ptr<Watch> WatchedModels::lent(const std::string& what) const {
  Subject subject = watch_->subject();
  subject.title = what + ", lent to " + subject.title;
  return std::make_shared<Watch>(std::move(subject), Violation::Fault::plugin, true);
}

std::unique_ptr<PolicyHandle> WatchedModels::open_policy(const std::string& folder, const OpenOptions& options) {
  watch_->calls_host("LanguageModels::open_policy");
  return std::make_unique<WatchedPolicy>(lent("policy " + folder), models_->open_policy(folder, options));
}

std::unique_ptr<RewardHandle> WatchedModels::open_reward(const std::string& folder, const OpenOptions& options) {
  watch_->calls_host("LanguageModels::open_reward");
  return std::make_unique<WatchedReward>(lent("reward model " + folder), models_->open_reward(folder, options));
}

void WatchedHost::log(LogLevel level, std::string_view message) {
  if (watch_->calls_host("Host::log")) host_.log(level, message);
}

void WatchedHost::progress(std::string_view what, std::size_t done, std::size_t total) {
  if (watch_->calls_host("Host::progress")) host_.progress(what, done, total);
}

bool WatchedHost::cancelled() const {
  return !watch_->calls_host("Host::cancelled") || host_.cancelled();
}

void WatchedHost::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  if (watch_->calls_host("Host::parallel_for")) host_.parallel_for(count, body);
}

std::string WatchedHost::scratch_folder() {
  return watch_->calls_host("Host::scratch_folder") ? host_.scratch_folder() : std::string();
}

std::string WatchedHost::recipe_folder() const {
  return watch_->calls_host("Host::recipe_folder") ? host_.recipe_folder() : std::string();
}

void* WatchedHost::query(std::string_view service) {
  if (!watch_->calls_host("Host::query")) return nullptr;
  void* found = host_.query(service);
  if (found == nullptr || service != LanguageModels::service) return found;
  models_.stand_for(*static_cast<LanguageModels*>(found));
  return static_cast<LanguageModels*>(&models_);
}

}  // namespace plumb::debug_host
