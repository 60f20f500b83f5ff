#pragma once

#include <plumb/tensor/optimizer.h>

#include <string>

class Dpo final : public plumb::PairwiseOptimizer {
 public:
  struct Settings {
    double beta = 0.1;
    std::string loss_type = "sigmoid";
    double label_smoothing = 0;
    bool ipo_average = true;
  };
  static plumb::Params<Settings> params();
  Dpo(const Settings& settings, plumb::Host&) : settings_(settings) {}
  plumb::Loss loss(const plumb::PairBatch& batch) override;

 private:
  [[nodiscard]] at::Tensor losses(const plumb::PairBatch& batch, const at::Tensor& log_ratio_gap) const;
  Settings settings_;
};
