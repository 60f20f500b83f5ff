// A stage: typed inputs, parameters, one output artifact.
//
// A stage kind is one object: parameters and rules, which input feeds which component, the output, and the body unless
// that needs tensors. It registers itself, so that a kind is one file and its test:
//
//   StageKind make_kind() {                                                     // kinds/first_rows.cpp
//     Declared<Settings> d{"the first rows of a dataset"};                 // catalogue/declared.h
//     d.params.add(&Settings::data, "data", "the dataset").accepts({"prompts"}).required();
//     StageKind kind = d.kind("first_rows", "prompts");
//     kind.body = run;                                                     // void run(StageContext& context) { … }
//     return kind;
//   }
//   const KindRegistration registered(25, make_kind);                           // its place in the order of the data flow
//
// The body of a kind that needs tensors registers itself in the engine library (engine/stages/body.h). Datasets and
// models of a recipe are stages too, of kinds with a section of their own.
//
// Thread contract: a body runs in one thread at a time; a context's methods may be called from any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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

// The component that a stage chooses under `component` reads a folder: its parameter `path` is filled with that of the
// artifact which the stage's `input` names, where the recipe gives no other.
struct Feed {
  std::string component, input;
  bool unless_own = false;  // both may be given: the component's own path is meant, the input is for others
};

// A component that a stage uses only when another of its components asks for it: not a plain default, which would tie
// every stage of the kind to its plugin. The recipe's check fills it in, so that what runs is in the resolved recipe,
// the content key and the lock.
struct NeededDefault {
  std::string param;   // is null, and gets
  Value value;         // when
  std::string asker;   // the component of this parameter registered
  std::string need;    // this need, and
  std::string beside;  // this parameter is given
};

struct Checking;    // recipe/checking.h
struct StageSpec;   // recipe/recipe.h
struct Report;      // report/report.h
struct Document;    // report/document.h
struct ReportItem;  // report/sections.h

class EstimateFacts;   // catalogue/estimate.h
struct StageEstimate;  // likewise

// One column of a sweep's table beside published numbers: a number, of which the mean over seeds is shown, or a text.
struct ShownChoice {
  std::string column;
  std::optional<double> number;
  std::string text = {};
};

// What a kind shows in reports. Null: nothing of its own.
struct StageReport {
  // Of one artifact, on a run's page.
  std::function<void(Report&, const ReportItem&)> section = {};
  // Of a sweep's rows side by side. `of`: which arms these are, a sentence.
  std::function<void(Document&, const std::vector<ReportItem>&, const std::string& of)> by_row = {};
  // What the recipe chose and what came of it, in the paper's layout.
  std::function<std::vector<ShownChoice>(const ArtifactManifest&)> choices = {};
};

// What a stage of the kind does with a model: which arithmetic foretells its memory and time (pipeline/estimate.h).
enum class ModelWork { none, holds, samples, scores, trains };
struct ModelUse {
  ModelWork work = ModelWork::none;
  std::string answers = {};    // of one that samples: the parameter that says how many answers a prompt gets
  std::string component = {};  // whose dtype, device and weights count; empty: the stage's own
  bool judged = false;         // of one that samples: a judge or a reward model reads the answers
  bool aligns = false;         // of one that trains: beside a reference, on pairs or on answers of its own
};

struct StageKind {
  std::string kind;                // "sample"
  std::string section = "stages";  // of the recipe; another one holds entries of this kind alone
  std::string doc, source;
  std::string output;  // artifact type; "*": what the component named by `output_from` yields (select, dataset), or
                       // the type of the inputs there (mix)
  std::string output_from;
  int revision = 1;  // bump when the same inputs give another output
  // Parameters that came after the kind had results: at their default they are no part of the key, and those results
  // stay. A default must do what the kind did without the parameter.
  std::vector<std::string> newer = {};
  std::vector<ParamInfo> params;
  std::function<std::vector<ParamIssue>(const Value&)> check;  // rules between complete, valid parameters
  std::function<bool(const Value&)> uses_seed;                 // of resolved parameters; null: always
  std::vector<Feed> feeds = {};
  std::vector<NeededDefault> needed_defaults = {};
  // When a recipe is checked. Components that read what the parameters name, beside those that are parameters:
  std::function<void(Checking&, StageSpec&)> find_components = {};
  // What the recipe as a whole does not allow, once the inputs are known:
  std::function<void(Checking&, const StageSpec&)> rules = {};
  // What `plumb plan` foretells of a stage; null: the time of an earlier run alone.
  std::function<void(const EstimateFacts&, StageEstimate&)> estimate = {};
  ModelUse models = {};
  std::function<std::optional<std::int64_t>(const Value&)> rows = {};  // that the parameters tell of an artifact
  StageReport report = {};
  StageBody body = {};  // what runs, of a kind that needs no tensors; null: it is in the engine library
};

// Makes a kind known when its library is loaded. `place`: among the kinds, in the order of the data flow; each has its
// own. `make` is called once, when a kind is first looked for.
class KindRegistration {
 public:
  KindRegistration(int place, StageKind (*make)());
};

// Every stage kind, in the order of their places.
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
