#pragma once

#include <plumb/tensor/optimizer.h>

class Sft final : public plumb::TokenOptimizer {
 public:
  struct Settings {};
  static plumb::Params<Settings> params();
  Sft(const Settings&, plumb::Host&) {}
  plumb::Loss loss(const plumb::TokenLossBatch& batch) override;
};
