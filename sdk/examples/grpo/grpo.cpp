// GRPO (Shao et al., arXiv:2402.03300, equation 3): no value model; the advantage of an answer is its reward against
// the other answers to its prompt, (r − mean) / (deviation + 1e-4), the same for each of its tokens. PPO's clipped
// loss, and the KL divergence from the reference in the loss, estimated as e^d − d − 1 with d = log π_ref − log π. The
// mean is over tokens.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_unique.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

namespace {

class Grpo final : public plumb::OnlineOptimizer {
 public:
  struct Settings {
    double beta = 0.04, cliprange = 0.2;
    bool scale_rewards = true;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"GRPO: advantages within the answers to a prompt", "arXiv:2402.03300, equation 3"};
    p.add(&Settings::beta, "beta", "weight of the KL divergence from the reference").at_least(0);
    p.add(&Settings::cliprange, "cliprange", "probability ratios beyond 1 ± this earn nothing").above(0).below(1);
    p.add(&Settings::scale_rewards, "scale_rewards", "divide by the deviation of the prompt's rewards");
    return p;
  }
  Grpo(const Settings& settings, plumb::Host&) : s_(settings) {}

  std::map<std::string, double> prepare(plumb::RolloutBatch& b) override {
    const at::Tensor group = std::get<1>(at::_unique(b.prompt, true, true));  // [responses], numbered from 0
    const at::Tensor size = sums(at::zeros_like(b.rewards) + 1, group);
    const at::Tensor centred = b.rewards - (sums(b.rewards, group) / size).index_select(0, group);
    const at::Tensor deviation = (sums(centred.square(), group) / (size - 1).clamp_min(1)).sqrt();
    const at::Tensor scale = s_.scale_rewards ? deviation.index_select(0, group) + 1e-4 : at::ones_like(centred);
    b.advantages = b.logps.spread((centred / scale).to(b.logps.values.scalar_type()));
    b.returns = b.advantages;
    const plumb::Ragged kl = b.logps.with(divergence(b.reference_logps.values, b.logps.values));
    return {{"objective/scores", b.rewards.mean().item<double>()},
            {"objective/scores_std", deviation.mean().item<double>()},
            {"objective/kl", kl.sums().mean().item<double>()}};
  }

  // Of single tokens, so on the values, where there is no padding.
  [[nodiscard]] plumb::Loss loss(const plumb::RolloutBatch& b, const plumb::Ragged& logps,
                                 const plumb::Ragged& /*values*/, std::int64_t total_tokens) override {
    const at::Tensor& advantages = b.advantages.values;
    const at::Tensor ratio = (logps.values - b.logps.values).exp();
    const at::Tensor clipped = ratio.clamp(1 - s_.cliprange, 1 + s_.cliprange);
    const at::Tensor policy = at::maximum(-advantages * ratio, -advantages * clipped);
    const at::Tensor kl = divergence(b.reference_logps.values, logps.values);
    const at::Tensor value = (policy + s_.beta * kl).sum() / static_cast<double>(total_tokens);
    const at::Tensor at_the_edge = (ratio.detach() - clipped.detach()).ne(0).to(at::kDouble);
    return {value,
            {{"policy/clipfrac_avg", at_the_edge.mean().item<double>()},
             {"objective/kl_now", kl.detach().mean().item<double>()}}};
  }

 private:
  // Of the answers to each prompt, [prompts].
  static at::Tensor sums(const at::Tensor& of, const at::Tensor& group) {
    return at::zeros({group.max().item<std::int64_t>() + 1}, of.options()).index_add(0, group, of);
  }
  static at::Tensor divergence(const at::Tensor& reference, const at::Tensor& policy) {
    const at::Tensor difference = reference - policy;
    return difference.exp() - difference - 1;
  }

  Settings s_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.grpo", "1.0.0", "Apache-2.0", "GRPO" PLUMB_STATUS("experimental")) {
  registrar.add<Grpo>("grpo").needs({"reward-model", "reference"});
}
