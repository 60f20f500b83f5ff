// The host as a watched component sees it.
//
// Thread contract: as Host's.
#pragma once

#include <memory>
#include <string>

#include "plumb/language_models.h"
#include "sdk/debug_host/watch.h"

namespace plumb::debug_host {

// The framework's models, each lent behind a Watched.
class WatchedModels final : public LanguageModels {
 public:
  explicit WatchedModels(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  void stand_for(LanguageModels& models) { models_ = &models; }
  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& options) override;
  std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions& options) override;

 private:
  [[nodiscard]] std::shared_ptr<Watch> lent(const std::string& what) const;

  std::shared_ptr<Watch> watch_;  // of the component that asks
  LanguageModels* models_ = nullptr;
};

// Every method may be called from any thread while the component lives. Afterwards there is nothing behind this.
class WatchedHost final : public Host {
 public:
  WatchedHost(Host& host, std::shared_ptr<Watch> watch) : host_(host), watch_(watch), models_(std::move(watch)) {}
  void log(LogLevel level, std::string_view message) override;
  void progress(std::string_view what, std::size_t done, std::size_t total) override;
  [[nodiscard]] bool cancelled() const override;
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override;
  [[nodiscard]] std::string scratch_folder() override;
  [[nodiscard]] std::string recipe_folder() const override;
  [[nodiscard]] void* query(std::string_view service) override;

 private:
  Host& host_;
  std::shared_ptr<Watch> watch_;
  WatchedModels models_;
};

}  // namespace plumb::debug_host
