#pragma once

#include <plumb/tensor/optimizer.h>

class BradleyTerry final : public plumb::ScoreOptimizer {
 public:
  struct Settings {
    bool use_margin = false;
    double center_rewards_coefficient = 0;
  };
  static plumb::Params<Settings> params();
  BradleyTerry(const Settings& settings, plumb::Host&) : settings_(settings) {}
  plumb::Loss loss(const plumb::ScoreBatch& batch) override;

 private:
  Settings settings_;
};
