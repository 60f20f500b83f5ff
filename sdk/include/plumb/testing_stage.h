// A fixture for stages: inputs from memory, an output of rows, and interruptions. Lives in a folder, so that a second
// one on the same folder goes on where the first was interrupted.
//
//   plumb::testing::StageBench bench("scratch", {.output_type = "prompts"});
//   bench.give("prompts", "train", "prompts", {plumb::Prompt{"p1", {{"user", "?"}}, {}}});
//   stage->run(bench);
//   check.equal(bench.rows().size(), 1U, "rows");                  // each a JSON line
//
// Thread contract: [setup].
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "plumb/stage.h"

namespace plumb::testing {

struct StageBenchOptions {
  std::string output_type;
  bool draws = false;      // the component was registered with .needs({"random"})
  std::uint64_t seed = 1;  // the run's
  // Called before the row of this number (from 0) is taken, and with -1 before a checkpoint: may throw or end the
  // process.
  std::function<void(std::int64_t row)> before = {};
};

class StageBench final : public StageRun {
 public:
  // What the folder holds of an earlier bench is an interrupted attempt.
  StageBench(const std::filesystem::path& folder, StageBenchOptions options)
      : folder_(std::filesystem::absolute(folder)), options_(std::move(options)) {
    std::filesystem::create_directories(folder_ / "work");
    std::ifstream saved(folder_ / "rows.jsonl");
    for (std::string line; std::getline(saved, line);) rows_.push_back(line);
    saved_ = rows_.size();
  }

  // An artifact of `type` with these rows, in a folder with the files that one of a run has.
  void give(const std::string& param, const std::string& name, const std::string& type, std::vector<StageRow> rows) {
    const std::filesystem::path folder = folder_ / "inputs" / name;
    std::filesystem::create_directories(folder);
    std::map<std::string, std::string> files;
    for (const std::string& file : row_files(type)) files[file];
    for (const StageRow& row : rows) {
      each_line(type, to_value(row),
                [&](const std::string& file, const Value& line) { files[file] += to_json(line) + "\n"; });
    }
    for (const auto& [file, text] : files) std::ofstream(folder / file, std::ios::binary) << text;
    given_[param].push_back({{name, type, folder.string()}, std::move(rows)});
  }

  // The output as JSON lines: of pairs {group, pairs}, else what the artifact's file holds.
  [[nodiscard]] const std::vector<std::string>& rows() const { return rows_; }
  [[nodiscard]] const std::map<std::string, Value>& summary() const { return summary_; }
  [[nodiscard]] const std::vector<RowsLeftOut>& left_out() const { return left_out_; }

  [[nodiscard]] std::vector<StageInput> inputs(std::string_view param) const override {
    std::vector<StageInput> out;
    const auto found = given_.find(param);
    if (found == given_.end()) return out;
    for (const Given& given : found->second) out.push_back(given.input);
    return out;
  }
  void read(const StageInput& input, const std::function<void(StageRow&&)>& row) override {
    for (const auto& [param, all] : given_) {
      for (const Given& given : all) {
        if (given.input.folder != input.folder) continue;
        for (StageRow copy : given.rows) row(std::move(copy));
        return;
      }
    }
    throw Error(ErrorCode::plugin, "no input `" + input.name + "` was given");
  }
  [[nodiscard]] std::string output_type() const override { return options_.output_type; }
  void write(const StageRow& row) override {
    if (options_.before) options_.before(static_cast<std::int64_t>(written_));
    if (const std::string wrong = wrong_row(options_.output_type, row); !wrong.empty()) {
      throw Error(ErrorCode::plugin, wrong);
    }
    if (written_++ >= saved_) rows_.push_back(to_json(to_value(row)));
  }
  [[nodiscard]] std::size_t saved() const override { return saved_; }
  void skip(std::size_t count) override {
    if (written_ + count > saved_) throw Error(ErrorCode::plugin, "skips rows that are not saved");
    written_ += count;
  }
  [[nodiscard]] std::size_t written() const override { return written_; }
  void checkpoint() override {
    if (options_.before) options_.before(-1);
    std::ofstream out(folder_ / "rows.jsonl", std::ios::binary);
    for (const std::string& row : rows_) out << row << "\n";
  }
  [[nodiscard]] std::string work_folder() const override { return (folder_ / "work").string(); }
  [[nodiscard]] Random random() const override {
    if (!options_.draws) throw Error(ErrorCode::plugin, "draws, and is not registered as needing \"random\"");
    return Random(options_.seed);
  }
  void summarise(const std::string& key, const Value& value) override { summary_[key] = value; }
  void leave_out(const RowsLeftOut& rows) override { left_out_.push_back(rows); }

 private:
  struct Given {
    StageInput input;
    std::vector<StageRow> rows;
  };

  std::filesystem::path folder_;
  StageBenchOptions options_;
  std::map<std::string, std::vector<Given>, std::less<>> given_;  // by parameter
  std::vector<std::string> rows_;
  std::size_t saved_ = 0, written_ = 0;
  std::map<std::string, Value> summary_;
  std::vector<RowsLeftOut> left_out_;
};

}  // namespace plumb::testing
