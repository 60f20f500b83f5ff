#include "sft.h"

#include <ATen/TensorOperators.h>

#include <plumb/plugin.h>

plumb::Params<Sft::Settings> Sft::params() {
  return plumb::Params<Settings>{"supervised fine-tuning: mean negative log-likelihood of the learnt tokens",
                                 "arXiv:2402.10038, equation 1"};
}

plumb::Loss Sft::loss(const plumb::TokenLossBatch& batch) {
  return {-batch.logps.sum() / static_cast<double>(batch.total_tokens), {}};
}

PLUMB_PLUGIN(registrar, "org.plumbline.sft", "1.0.0", "Apache-2.0",
             "supervised fine-tuning on demonstrations" PLUMB_STATUS("stable")) {
  registrar.add<Sft>("sft");
}
