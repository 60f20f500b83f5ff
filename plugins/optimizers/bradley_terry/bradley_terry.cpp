#include "bradley_terry.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/stack.h>
#include <plumb/plugin.h>

plumb::Params<BradleyTerry::Settings> BradleyTerry::params() {
  plumb::Params<Settings> p{"reward model from preferences: -log sigmoid(chosen - rejected - margin)",
                            "arXiv:2402.10038, equation 3; margin: arXiv:2307.09288, equation 2"};
  p.add(&Settings::use_margin, "use_margin",
        "subtract the data's reward gap inside the sigmoid; rows without one use 0");
  p.add(&Settings::center_rewards_coefficient, "center_rewards_coefficient",
        "weight of mean((chosen + rejected)^2), which keeps rewards around 0; TRL's name")
      .at_least(0);
  return p;
}

plumb::Loss BradleyTerry::loss(const plumb::ScoreBatch& b) {
  at::Tensor gap = b.chosen - b.rejected;
  const at::Tensor wanted = settings_.use_margin ? gap - at::nan_to_num(b.margin, 0.0) : gap;
  at::Tensor value = -at::log_sigmoid(wanted).mean();
  if (settings_.center_rewards_coefficient > 0) {
    value = value + settings_.center_rewards_coefficient * (b.chosen + b.rejected).square().mean();
  }

  gap = gap.detach();
  const at::Tensor rewards = at::cat({b.chosen.detach(), b.rejected.detach()});
  const at::Tensor numbers =  // one transfer from the device for all of them
      at::stack({(gap > 0).to(at::kFloat).mean(), gap.mean(), rewards.min(), rewards.mean(), rewards.max()})
          .to(at::kCPU, at::kDouble);
  const double* n = numbers.const_data_ptr<double>();
  return {value,
          {{"accuracy", n[0]}, {"margin", n[1]}, {"min_reward", n[2]}, {"mean_reward", n[3]}, {"max_reward", n[4]}}};
}

PLUMB_PLUGIN(registrar, "org.plumbline.bradley-terry", "1.0.0", "Apache-2.0",
             "Bradley-Terry loss for reward models" PLUMB_STATUS("stable")) {
  registrar.add<BradleyTerry>("bradley-terry");
}
