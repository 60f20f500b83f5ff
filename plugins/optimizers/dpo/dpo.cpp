#include "dpo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>
#include <plumb/plugin.h>

plumb::Params<Dpo::Settings> Dpo::params() {
  plumb::Params<Settings> p{"direct preference optimisation and its pairwise kin",
                            "arXiv:2305.18290, equation 7; arXiv:2402.10038, equation 4"};
  p.add(&Settings::beta, "beta", "strength of the pull towards the reference").above(0);
  p.add(&Settings::loss_type, "loss_type",
        "which function of the log-ratio gap is minimised; README.md has the formulas")
      .choices({"sigmoid", "cdpo", "robust", "hinge", "ipo"});
  p.add(&Settings::label_smoothing, "label_smoothing", "share of labels taken to be flipped; of cdpo and robust")
      .at_least(0)
      .below(0.5);
  p.add(&Settings::ipo_average, "ipo_average", "ipo: log-ratios divided by completion length, as TRL; false: summed");
  p.check([](const Settings& s) -> std::string {
    if (!s.ipo_average && s.loss_type != "ipo")
      return "ipo_average has no effect on loss_type " + s.loss_type + "; choose ipo, or leave it out";
    const bool smooths = s.loss_type == "cdpo" || s.loss_type == "robust";
    if (smooths || s.label_smoothing == 0) return {};
    return "label_smoothing has no effect on loss_type " + s.loss_type + "; choose cdpo or robust, or leave it 0";
  });
  return p;
}

at::Tensor Dpo::losses(const plumb::PairBatch& b, const at::Tensor& log_ratio_gap) const {
  const at::Tensor logits = settings_.beta * log_ratio_gap;
  const double flipped = settings_.label_smoothing;
  if (settings_.loss_type == "cdpo") {
    return -(1 - flipped) * at::log_sigmoid(logits) - flipped * at::log_sigmoid(-logits);
  }
  if (settings_.loss_type == "robust") {
    return (flipped * at::log_sigmoid(-logits) - (1 - flipped) * at::log_sigmoid(logits)) / (1 - 2 * flipped);
  }
  if (settings_.loss_type == "hinge") return at::relu(1 - logits);
  if (settings_.loss_type == "ipo") {
    const at::Tensor gap = settings_.ipo_average ? (b.policy_chosen - b.reference_chosen) / b.chosen_length -
                                                       (b.policy_rejected - b.reference_rejected) / b.rejected_length
                                                 : log_ratio_gap;
    return (gap - 1 / (2 * settings_.beta)).square();
  }
  return -at::log_sigmoid(logits);
}

plumb::Loss Dpo::loss(const plumb::PairBatch& b) {
  const at::Tensor chosen = b.policy_chosen - b.reference_chosen;
  const at::Tensor rejected = b.policy_rejected - b.reference_rejected;
  const at::Tensor value = losses(b, chosen - rejected).mean();

  const at::Tensor chosen_reward = settings_.beta * chosen.detach();
  const at::Tensor rejected_reward = settings_.beta * rejected.detach();
  const at::Tensor means =  // one transfer from the device for all of them
      at::stack({chosen_reward, rejected_reward, chosen_reward - rejected_reward,
                 (chosen_reward > rejected_reward).to(at::kFloat), b.policy_chosen.detach(),
                 b.policy_rejected.detach()})
          .mean(1)
          .to(at::kCPU, at::kDouble);
  const double* m = means.const_data_ptr<double>();
  return {value,
          {{"rewards/chosen", m[0]},
           {"rewards/rejected", m[1]},
           {"rewards/margins", m[2]},
           {"rewards/accuracies", m[3]},
           {"logps/chosen", m[4]},
           {"logps/rejected", m[5]}}};
}

PLUMB_PLUGIN(registrar, "org.plumbline.dpo", "1.0.0", "Apache-2.0",
             "direct preference optimisation: sigmoid, cdpo, robust, hinge, ipo" PLUMB_STATUS("stable")) {
  registrar.add<Dpo>("dpo").needs({"reference"});
}
