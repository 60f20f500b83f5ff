// A stage: typed inputs, parameters, one output artifact.
//
// A stage kind is declared twice over two libraries. The declaration (catalogue, torch-free) is what recipes are
// checked against; the body (engine) is what runs. Datasets and models of a recipe are stages too, of kinds `dataset`
// and `model`.
//
//   StageKind sample_kind() {                                              // catalogue/catalogue.cpp
//     Params<SampleSettings> p{"sample k responses for each prompt", "paper §2.3"};
//     p.add(&SampleSettings::model, "model", "the policy that answers").accepts({"model"}).required();
//     …
//     return {.kind = "sample", .output = "responses", .revision = 1, .params = p.infos(), …};
//   }
//   void run_sample(StageContext& context) { … }                           // stages/sample.cpp
//
// Thread contract: a body runs in one thread at a time; a context's methods may be called from any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/cancelled.h"
#include "framework/core/artifacts/artifact.h"
#include "framework/core/telemetry/row_account.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/random.h"
#include "plumb/records.h"

namespace plumb {

class Registry;

class StageContext;
// Throws Cancelled when it stopped because context.cancelled().
using StageBody = std::function<void(StageContext&)>;

struct StageKind {
  std::string kind;                // "sample"
  std::string section = "stages";  // of the recipe; another one holds entries of this kind alone
  std::string doc, source;
  std::string output;  // artifact type; "*": what the component named by `output_from` yields (select, dataset), or
                       // the type of the inputs there (mix)
  std::string output_from;
  int revision = 1;  // bump when the same inputs give another output
  std::vector<ParamInfo> params;
  std::function<std::vector<ParamIssue>(const Value&)> check;  // rules between complete, valid parameters
  std::function<bool(const Value&)> uses_seed;                 // of resolved parameters; null: always
  StageBody body = {};  // what runs, of a kind that needs no tensors; null: it is in the engine library
};

// Every stage kind, in the order of the data flow. Defined in catalogue/catalogue.cpp.
const std::vector<StageKind>& stage_catalogue();
const StageKind* find_stage_kind(const std::string& kind);
// Of the entries of a recipe's section that holds one kind alone; null for `stages`.
const StageKind* kind_of_section(const std::string& section);
// Of those that stand under `stages`.
std::vector<std::string> stage_kind_names();

// What a body sees. It is a Host, so components made for the stage share it.
class StageContext : public Host {
 public:
  [[nodiscard]] virtual const std::string& name() const = 0;                        // the recipe's name of the stage
  [[nodiscard]] virtual const Value& params() const = 0;                            // resolved and complete
  [[nodiscard]] virtual const Artifact& input(const std::string& param) const = 0;  // throws when absent
  [[nodiscard]] virtual const Artifact* optional_input(const std::string& param) const = 0;
  // Of a stage_inputs parameter: names as the recipe gives them with their artifacts.
  [[nodiscard]] virtual std::vector<std::pair<std::string, const Artifact*>> inputs(const std::string& param) const = 0;
  [[nodiscard]] virtual std::filesystem::path folder() const = 0;       // the output
  [[nodiscard]] virtual std::filesystem::path work_folder() const = 0;  // survives an interruption, not the commit
  [[nodiscard]] virtual const Registry& registry() const = 0;
  [[nodiscard]] virtual Random random() const = 0;  // keyed by the run's seed, not by the stage: derive by purpose
  [[nodiscard]] virtual std::uint64_t seed() const = 0;
  // Shown by `plumb show`, kept in the manifest.
  virtual void summarise(const std::string& key, Value value) = 0;
  // Rows that were read and are not passed on as they were: on the stage's line on the terminal, in the summary, in the
  // report. Counts of one deed, unit and reason are added.
  virtual void account(const RowAccount& rows) = 0;
  // One row of metrics.jsonl in the output folder and of the TensorBoard file beside it; also feeds the progress line.
  virtual void metrics(std::int64_t step, const std::map<std::string, double>& values) = 0;
  // Rewinds the metrics of an interrupted attempt to those at or before `step` (called on resume from a checkpoint).
  virtual void rewind_metrics(std::int64_t step) = 0;
};

}  // namespace plumb
