#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/engine/certificate/checks.h"
#include "framework/engine/modeling/merged_model.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

class Scratch {
 public:
  explicit Scratch(Host& host) : path_(fs::path(host.scratch_folder()) / fmt::format("certify-{}", ::getpid())) {}
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::size_t unequal_tensors(const LanguageModel& a, const LanguageModel& b) {
  std::size_t count = 0;
  for (const Parameter* parameter : a.parameters->all()) {
    const Parameter* other = b.parameters->find(parameter->name);
    count += other == nullptr || !at::equal(*parameter->tensor, *other->tensor) ? 1 : 0;
  }
  return count + (a.parameters->all().size() == b.parameters->all().size() ? 0 : 1);
}

// Whole folders only: an adapter is compared with its base folded in, as it is saved whole.
double save_error(const Measuring& with) {
  const Scratch scratch(with.host);
  LanguageModel before = open_subject(with.subject, with.registry, with.host, {.merge_adapter = true});
  save_language_model(before, scratch.path());
  LanguageModel after =
      open_language_model(scratch.path(), with.registry, with.host,
                          {.placement = {.device = with.subject.device}, .reward_head = with.subject.reward});
  return static_cast<double>(unequal_tensors(before, after));
}

double changed_files(const Subject& subject) {
  std::size_t changed = 0;
  for (const ArtifactFile& file : subject.manifest->files) {
    const Result<std::string> hash = sha256_of_file(subject.folder / file.name);
    changed += !hash || *hash != file.sha256 ? 1 : 0;
  }
  return static_cast<double>(changed);
}

// The adapter beside its base, and folded into it.
double adapter_error(const Measuring& with, LanguageModel& model) {
  LanguageModel folded =
      open_subject(with.subject, with.registry, with.host, {.merge_adapter = true, .tokenizer = false});
  const auto& groups = with.material.groups;
  if (model.score) return relative(completion_rewards(model, groups, {}), completion_rewards(folded, groups, {}));
  return relative(completion_logps(model, groups, {}).tokens, completion_logps(folded, groups, {}).tokens);
}

double merge_error(const Measuring& with, const fs::path& merged) {
  const MergeLoss loss = measure_merged(with.subject.folder, merged, with.subject.reward, with.registry, with.host);
  return std::abs(1 - loss.survives);
}

}  // namespace

std::vector<Check> folder_checks(const Measuring& with, LanguageModel& model) {
  const at::NoGradGuard no_gradients;
  std::vector<Check> out{measured("save_load", "tensors that differ in a bit after saving and loading", 0,
                                  [&] { return save_error(with); })};
  if (with.subject.manifest) {
    out.push_back(measured("files", "files whose SHA-256 is not the one recorded when the run made them", 0,
                           [&] { return changed_files(with.subject); }));
  }
  std::error_code ignored;
  if (!is_adapter_folder(with.subject.folder)) return out;
  out.push_back(measured("adapter", "log-probabilities with the adapter beside its base, and folded in in float32",
                         kRoundingBound, [&] { return adapter_error(with, model); }));
  if (const fs::path merged = with.subject.folder / merged_folder_name; fs::is_directory(merged, ignored)) {
    out.push_back(measured("merged", "share of the adapter's update that the weights in merged/ do not hold", 0.01,
                           [&] { return merge_error(with, merged); }));
  }
  return out;
}

}  // namespace plumb
