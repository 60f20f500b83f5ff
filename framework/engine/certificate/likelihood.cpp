#include "framework/engine/certificate/likelihood.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <unordered_map>

namespace plumb {

double unigram_nats(const std::vector<SequenceGroup>& rows, const std::vector<SequenceGroup>& known,
                    std::int64_t vocabulary) {
  std::unordered_map<TokenId, double> count;
  double all = 0;
  for (const SequenceGroup& group : known) {
    for (const auto& completion : group.completions) {
      for (const TokenId id : completion) ++count[id];
      all += static_cast<double>(completion.size());
    }
  }
  double sum = 0, tokens = 0;
  for (const SequenceGroup& group : rows) {
    for (const auto& completion : group.completions) {
      for (const TokenId id : completion)
        sum -= std::log(0.9 * count[id] / all + 0.1 / static_cast<double>(vocabulary));
      tokens += static_cast<double>(completion.size());
    }
  }
  return sum / tokens;
}

Likelihood likelihood_of(LanguageModel& model, const Material& material) {
  const at::NoGradGuard no_gradients;
  const std::int64_t vocabulary = model.shape().vocabulary;
  const at::Tensor logps = completion_logps(model, material.real, {}).tokens;
  return {.tokens = logps.size(0),
          .nats = -logps.to(at::kDouble).mean().item<double>(),
          .uniform = std::log(static_cast<double>(vocabulary)),
          .unigram = unigram_nats(material.real, material.known, vocabulary)};
}

}  // namespace plumb
