// How probable a model finds real rows: the one figure of a certificate that a model which is wrong in all ways of
// computing it alike cannot pass unseen.
//
//   const Likelihood found = likelihood_of(model, material);
//   found.nats;      // 2.31, where a uniform guess is 10.37 and a unigram model of the rows 5.80
//
// Thread contract: [lane] per model.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/engine/certificate/material.h"

namespace plumb {

struct Likelihood {
  std::int64_t tokens = 0;  // of answers, whose probability was measured
  double nats = 0;          // mean of -log p of a token after what stands before it
  double uniform = 0;       // log of the vocabulary's size
  double unigram = 0;       // of a model that knows how often each token stands in these rows and nothing else

  // A nat above the unigram model, which a language model of such text is well below. True for NaN.
  [[nodiscard]] bool far_above() const { return !(nats <= unigram + 1); }
};

// Mean -log(0.9 · share of the token among all of `known` + 0.1 / vocabulary) over the completions of `rows`.
double unigram_nats(const std::vector<SequenceGroup>& rows, const std::vector<SequenceGroup>& known,
                    std::int64_t vocabulary);

// On material.real, which must not be empty.
Likelihood likelihood_of(LanguageModel& model, const Material& material);

}  // namespace plumb
