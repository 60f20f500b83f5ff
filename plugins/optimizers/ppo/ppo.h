#pragma once

#include <plumb/tensor/optimizer.h>

#include <string>

class Ppo final : public plumb::OnlineOptimizer {
 public:
  struct Settings {
    double kl_coef = 0.2;
    std::string kl_estimator = "k1";
    std::string kl_control = "fixed";
    double kl_target = 6;
    double kl_horizon = 10000;
    double gamma = 1;
    double lam = 0.95;
    double cliprange = 0.2;
    double cliprange_value = 0.2;
    double vf_coef = 0.1;
    bool whiten_rewards = false;
    bool whiten_advantages = true;
  };
  static plumb::Params<Settings> params();
  Ppo(const Settings& settings, plumb::Host&) : settings_(settings), kl_coef_(settings.kl_coef) {}

  std::map<std::string, double> prepare(plumb::RolloutBatch& batch) override;
  plumb::Loss loss(const plumb::RolloutBatch& batch, const plumb::Ragged& logps, const plumb::Ragged& values,
                   std::int64_t total_tokens) override;
  [[nodiscard]] std::map<std::string, double> state() const override { return {{"kl_coef", kl_coef_}}; }
  void restore(const std::map<std::string, double>& state) override { kl_coef_ = state.at("kl_coef"); }

 private:
  Settings settings_;
  double kl_coef_;  // of the next batch
};
