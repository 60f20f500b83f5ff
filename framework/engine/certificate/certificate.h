// The correctness certificate of a run or of a model folder: invariances measured on the user's own weights and rows.
//
//   Certificate certificate = certify("runs/quickstart", registry, host, {});
//   if (!certificate.holds()) …                      // to_value(certificate) is what `plumb certify --json` prints
//
// Of a run every trained model and reward model is measured on the rows that trained it; of a folder that is no
// artifact, on lines of a text, or without one on answers the model itself gives to random prompts. Everything is
// computed in float32, for which the bounds hold, on one device.
//
// The checks compare ways to compute one model with each other: what is wrong in all of them alike holds. Layers in
// another order, another rope_theta or norm epsilon, transposed or zeroed weights, another tokenizer or chat format show
// only in the nats a token of real rows, as far as they spoil the model.
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plumb/host.h"
#include "plumb/value.h"

namespace plumb {

class Registry;

struct Check {
  std::string name;  // "cached_decode"
  std::string what;  // what was compared, one line
  double bound = 0;  // the check holds when the measured error is at most this
  double measured = 0;
  std::string problem;  // why nothing could be measured; empty otherwise

  [[nodiscard]] bool holds() const { return problem.empty() && measured <= bound; }  // false for NaN
};

// Of a model on real rows (likelihood.h); of a reward model on real pairs.
struct RealRows {
  std::int64_t tokens = 0;
  double nats = 0, uniform = 0, unigram = 0;  // a token; of a model
  std::int64_t pairs = 0, ordered = 0;        // of a reward model: those whose chosen answer has the higher reward
  std::string warning;                        // empty: nothing stands out
  std::string problem;                        // why nothing could be measured
};

struct CertifiedModel {
  std::string name;  // stage of the run, or the folder's name
  std::filesystem::path folder;
  std::string type;  // model, reward-model
  std::string rows;  // where the measured rows come from
  std::int64_t parameters = 0, sequences = 0, tokens = 0;
  std::optional<RealRows> real;  // absent without real rows
  std::vector<Check> checks;

  [[nodiscard]] bool holds() const;  // of the checks: a warning is none
};

struct Certificate {
  std::vector<CertifiedModel> models;
  [[nodiscard]] bool holds() const;
};

struct CertifyOptions {
  std::int64_t prompts = 6;    // measured of each model
  std::int64_t answers = 4;    // of a prompt, at most
  std::int64_t longest = 128;  // tokens of a prompt (its end) and of an answer (its start) that are used
  std::uint64_t seed = 1;      // of prompts and answers that are drawn
  std::string device = "cpu";  // cpu, cuda, cuda:N (plumb/placement.h)
  std::filesystem::path text;  // lines of real text, for models whose own rows are not there; empty: none
};

// {"holds", "models": [{"name", "folder", "type", "rows", …, "checks": [{"name", "bound", "measured", "holds"}…]}…]};
// an error that is no number is null.
Value to_value(const Certificate& certificate);

// Throws Error(data) for a folder that is neither a run with trained models nor a model.
Certificate certify(const std::filesystem::path& run_or_model, const Registry& registry, Host& host,
                    const CertifyOptions& options);

}  // namespace plumb

// For commands, which reach the engine by symbol (door/engine.h). `text` as in CertifyOptions.
extern "C" void plumb_engine_certify(const std::filesystem::path& run_or_model, const std::filesystem::path& text,
                                     const std::string& device, const plumb::Registry& registry, plumb::Host& host,
                                     plumb::Value& out);
