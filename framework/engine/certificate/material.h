// What a certificate is measured with: a model's folder and rows of token ids, a few prompts with several answers each.
//
//   for (const Subject& subject : subjects_of("runs/quickstart")) {
//     LanguageModel model = open_subject(subject, registry, host, {});
//     Material material = material_for(subject, model, host, options);
//
// Thread contract: [lane].
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/engine/certificate/certificate.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/training/pair_rows.h"
#include "framework/engine/training/token_objective.h"

namespace plumb {

struct Subject {
  std::string name;
  std::filesystem::path folder;
  bool reward = false;
  std::string device = "cpu";                // of every model that is opened for it
  std::optional<ArtifactManifest> manifest;  // of a folder that a run made
  std::optional<Artifact> data;              // what trained it, when that is still there
};

// The models of a run in the order of its stages, or the one model of a folder.
std::vector<Subject> subjects_of(const std::filesystem::path& run_or_model);

LanguageModel open_subject(const Subject& subject, const Registry& registry, Host& host, OpenModel how);

struct Material {
  std::string origin;
  std::vector<SequenceGroup> groups;  // with two answers at least wherever the model can draw them
  std::vector<SequenceGroup> real;    // of these what stands in real rows; empty for random tokens
  std::vector<SequenceGroup> known;   // the rows that were read, whole

  [[nodiscard]] std::vector<std::vector<TokenId>> sequences() const;  // prompt and answer, in the groups' order
  [[nodiscard]] std::int64_t tokens() const;
  [[nodiscard]] TokenRows demonstrations() const;  // each sequence by itself, the answer learnt
  [[nodiscard]] PairRows pairs() const;            // all pairs of answers of a prompt
};
Material material_for(const Subject& subject, LanguageModel& model, Host& host, const CertifyOptions& options);

}  // namespace plumb
