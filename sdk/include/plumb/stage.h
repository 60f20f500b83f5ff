// A stage makes one artifact of rows from others: it filters, joins, rewrites. A recipe uses it by its name, as it uses
// the framework's own kinds of stage; the component's parameters are the stage's.
//
//   class FirstRows final : public plumb::Stage {
//    public:
//     struct Settings { std::string prompts; std::int64_t count = 100; };
//     static plumb::Params<Settings> params() {
//       plumb::Params<Settings> p{"the first rows of a dataset"};
//       p.add(&Settings::prompts, "prompts", "the dataset").accepts({"prompts"}).required();
//       p.add(&Settings::count, "count", "rows to keep").at_least(1);
//       return p;
//     }
//     FirstRows(const Settings& settings, plumb::Host&) : count_(settings.count) {}
//     void run(plumb::StageRun& run) override {
//       for (const plumb::Prompt& prompt : run.rows<plumb::Prompt>("prompts")) {
//         if (static_cast<std::int64_t>(run.written()) < count_) run.write(prompt);
//       }
//     }
//
//    private:
//     std::int64_t count_;
//   };
//
// Registered by `registrar.add<FirstRows>("first-rows").yields({"prompts"})`, a recipe has it as
// `few: {stage: first-rows, prompts: train-prompts, count: 10}`.
//
// Inputs are the parameters that name stages (`.accepts({…})`); the settings hold the names that the recipe gives, the
// rows and folders come from StageRun. Register what it yields: one of row_types() (plumb/rows.h). With several, the
// output is of the type of the artifacts that its first input parameter names, which must accept no other types.
// Register `.needs({"random"})` to draw; else the run's seed is no part of the stage's key.
//
// The same parameters and inputs give the same rows, in the same order, whenever and however often it was interrupted:
// that is what a cached artifact is. The plugin's file is part of the key, so a new build runs again.
// Thread contract: run is [lane], estimate [any]; a StageRun is [lane] and ends with the call of run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "plumb/component.h"
#include "plumb/error.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/random.h"
#include "plumb/rows.h"

namespace plumb {
inline namespace v1 {

// An artifact that the stage was given. Its files are not to be changed.
struct StageInput {
  std::string name;    // of the stage, dataset or model in the recipe
  std::string type;    // "responses"
  std::string folder;  // absolute
};

// Rows that were read and are not passed on: on the stage's line, in its summary and in the report.
struct RowsLeftOut {
  std::int64_t count = 0, of = 0;
  std::string reason;         // "longer than 40 words"
  std::string unit = "rows";  // "answers"
  std::string cure = {};      // what to change for another outcome, where there is something to change
};

class StageRun {
 public:
  virtual ~StageRun();

  // The artifacts that a parameter names, in the recipe's order; none where it was left out.
  [[nodiscard]] virtual std::vector<StageInput> inputs(std::string_view param) const = 0;
  // The rows of one, in their order. Throws Error(data) with file and line for a row that is damaged, Error(plugin) for
  // an artifact that is not rows.
  virtual void read(const StageInput& input, const std::function<void(StageRow&&)>& row) = 0;

  // The type of the output.
  [[nodiscard]] virtual std::string output_type() const = 0;
  // The next row of the output. One that an interrupted attempt saved stays as it is. Throws Error(plugin) for a row
  // that cannot stand there (wrong_row), and ends the run when it is to stop: let pass what it throws.
  virtual void write(const StageRow& row) = 0;
  // Rows that an interrupted attempt saved. A stage may write them again, or go on behind them: skip(saved()).
  [[nodiscard]] virtual std::size_t saved() const = 0;
  // In place of writing the next `count` rows, which are saved. Throws Error(plugin) where they are not.
  virtual void skip(std::size_t count) = 0;
  // Rows of the output so far: those that this attempt wrote or skipped.
  [[nodiscard]] virtual std::size_t written() const = 0;
  // Rows written so far survive whatever ends the process.
  virtual void checkpoint() = 0;

  // A folder for files of its own that survive an interruption and are gone when the stage is complete. Absolute.
  [[nodiscard]] virtual std::string work_folder() const = 0;
  // Keyed by the run's seed alone: derive by purpose and by row. Throws Error(plugin) unless the component was
  // registered as needing "random".
  [[nodiscard]] virtual Random random() const = 0;
  // A number or text of the stage's result, shown by `plumb show`. Not for what depends on an interruption.
  virtual void summarise(const std::string& key, const Value& value) = 0;
  virtual void leave_out(const RowsLeftOut& rows) = 0;

  // The one artifact of a parameter; throws Error(recipe) where it was left out.
  [[nodiscard]] StageInput input(std::string_view param) const;
  // All rows of a parameter's artifacts, one after the other. T: the record of their type (plumb/rows.h).
  template <class T>
  [[nodiscard]] std::vector<T> rows(std::string_view param) {
    std::vector<T> out;
    for (const StageInput& input : inputs(param)) {
      read(input, [&](StageRow&& row) {
        T* record = std::get_if<T>(&row);
        if (record == nullptr) throw wrong_record(input);
        out.push_back(std::move(*record));
      });
    }
    return out;
  }

 private:
  static Error wrong_record(const StageInput& input);
};

// What is known of a stage before it runs: the rows of its inputs, by parameter, where the recipe tells.
struct StageFacts {
  std::map<std::string, std::int64_t> rows;
};
struct StageNeeds {
  std::optional<std::uint64_t> memory_bytes, disk_bytes;  // at its peak; of its artifact
  std::optional<double> seconds;
};

class Stage : public Component {
 public:
  static constexpr const char* kind = "stage/1";
  ~Stage() override;

  // [lane] Reads the inputs and writes the rows of the output. To stop (Host::cancelled) it may return early; rows up
  // to the last checkpoint are kept for the next attempt.
  virtual void run(StageRun& run) = 0;
  // [any] What `plumb plan` says that it will need. By default nothing; the time is then that of an earlier run.
  [[nodiscard]] virtual StageNeeds estimate(const StageFacts& facts) const;
};

}  // namespace v1
}  // namespace plumb
