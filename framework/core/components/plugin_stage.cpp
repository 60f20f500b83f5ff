#include "framework/core/components/plugin_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>

#include "framework/core/artifacts/checked_rows.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/core/catalogue/estimate.h"
#include "framework/core/components/make.h"
#include "plumb/stage.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

bool names_stages(const ParamInfo& info) {
  return info.type == ParamType::stage_input || info.type == ParamType::stage_inputs;
}

// The parameter that decides the type of the output where the stage can yield several.
std::string deciding_input(const ComponentInfo& info) {
  const auto found = std::find_if(info.params.begin(), info.params.end(), names_stages);
  return found == info.params.end() ? std::string() : found->name;
}

bool needs(const ComponentInfo& info, const char* what) {
  return std::find(info.needs.begin(), info.needs.end(), what) != info.needs.end();
}

// A pairs artifact by prompts; those without pairs, too.
std::vector<PairedGroup> paired_groups(const fs::path& folder) {
  PairSet set = read_pairs(folder).value();
  std::vector<PairedGroup> out;
  for (ResponseGroup& group : set.groups) out.push_back({std::move(group), {}});
  for (const PairSet::Item& item : set.pairs) {
    PairedGroup& row = out[item.group];
    const auto reward = [&](int index) { return row.group.responses[static_cast<std::size_t>(index)].reward; };
    row.pairs.push_back({row.group.prompt.id, item.chosen, item.rejected, reward(item.chosen), reward(item.rejected),
                         std::isnan(item.margin) ? std::nullopt : std::optional(item.margin)});
  }
  return out;
}

template <class T>
void each_row(const fs::path& file, Result<T> (*from)(const Value&, const std::string&),
              const std::function<void(StageRow&&)>& row) {
  for_each_row(file, [&](const Value& value, const std::string& where) -> Result<void> {
    Result<T> record = from(value, where);
    if (!record) return record.error();
    row(std::move(*record));
    return {};
  }).value();
}

class PluginRun final : public StageRun {
 public:
  PluginRun(StageContext& context, const ComponentInfo& info)
      : context_(context),
        info_(info),
        type_(info.yields.size() == 1 ? info.yields.front() : inputs(deciding_input(info)).at(0).type),
        rows_(context.work_folder() / "rows.jsonl"),
        saved_(rows_.count()) {
    if (!rows_.damage().empty()) context.log(LogLevel::warning, rows_.damage());
    if (saved_ > 0) context.log(LogLevel::info, fmt::format("{} rows were written before", saved_));
  }

  [[nodiscard]] std::vector<StageInput> inputs(std::string_view param) const override {
    const std::string name(param);
    std::vector<StageInput> out;
    const auto add = [&](const std::string& stage, const Artifact& artifact) {
      out.push_back({stage, artifact.manifest.type, fs::absolute(artifact.folder).string()});
    };
    const auto declared = std::find_if(info_.params.begin(), info_.params.end(),
                                       [&](const ParamInfo& info) { return info.name == name && names_stages(info); });
    if (declared == info_.params.end()) {
      throw Error(ErrorCode::plugin, fmt::format("asks for the input `{}`, which it does not declare", name));
    }
    if (declared->type == ParamType::stage_inputs) {
      for (const auto& [stage, artifact] : context_.inputs(name)) add(stage, *artifact);
    } else if (const Artifact* one = context_.optional_input(name)) {
      add(context_.params().at(name).as_string(), *one);
    }
    return out;
  }

  void read(const StageInput& input, const std::function<void(StageRow&&)>& row) override {
    const auto& known = row_types();
    if (std::find(known.begin(), known.end(), input.type) == known.end()) {
      throw Error(ErrorCode::plugin, fmt::format("asks for the rows of `{}`, which is a {}", input.name, input.type));
    }
    const fs::path folder = input.folder;
    const fs::path file = folder / row_files(input.type).front();
    if (input.type == artifact_type::pairs) {
      for (PairedGroup& group : paired_groups(folder)) row(std::move(group));
    } else if (input.type == artifact_type::prompts) {
      each_row(file, prompt_from, row);
    } else if (input.type == artifact_type::preferences) {
      each_row(file, preference_from, row);
    } else if (input.type == artifact_type::responses || input.type == artifact_type::scored) {
      each_row(file, group_from, row);
    } else {
      each_row(file, demonstration_from, row);
    }
  }

  [[nodiscard]] std::string output_type() const override { return type_; }

  void write(const StageRow& row) override {
    if (context_.cancelled()) {
      rows_.end_block(true);
      throw Cancelled{};
    }
    if (const std::string wrong = wrong_row(type_, row); !wrong.empty()) {
      throw Error(ErrorCode::plugin, "writes a row that cannot stand in its output: " + wrong);
    }
    if (written_++ >= saved_) rows_.write(to_value(row));
  }
  [[nodiscard]] std::size_t written() const override { return written_; }
  [[nodiscard]] std::size_t saved() const override { return saved_; }
  void skip(std::size_t count) override {
    if (count > saved_ || written_ > saved_ - count) {
      throw Error(ErrorCode::plugin, fmt::format("skips {} rows after {}, and {} are saved", count, written_, saved_));
    }
    written_ += count;
  }
  void checkpoint() override { rows_.end_block(true); }

  [[nodiscard]] std::string work_folder() const override {
    const fs::path folder = fs::absolute(context_.work_folder() / "stage");
    fs::create_directories(folder);
    return folder.string();
  }
  [[nodiscard]] Random random() const override {
    if (needs(info_, "random")) return context_.random();
    throw Error(ErrorCode::plugin, "draws, and is not registered as needing \"random\": the seed is not in its key");
  }
  void summarise(const std::string& key, const Value& value) override { context_.summarise(key, value); }
  void leave_out(const RowsLeftOut& rows) override {
    RowAccount account;
    account.add({.count = rows.count, .of = rows.of, .unit = rows.unit, .reason = rows.reason, .cure = rows.cure});
    context_.account(account);
  }

  // Makes the artifact of what was written.
  void finish() {
    if (context_.cancelled()) {
      rows_.end_block(true);
      throw Cancelled{};
    }
    if (written_ < saved_) {
      throw Error(ErrorCode::plugin,
                  fmt::format("wrote {} rows, and {} before it was interrupted: it does not give the "
                              "same rows again",
                              written_, saved_));
    }
    if (written_ == 0) {
      throw Error(ErrorCode::data, fmt::format("gave no row of {}: nothing of its inputs passes", type_));
    }
    rows_.end_block(true);
    std::map<std::string, RowWriter> files;
    for (const std::string& file : row_files(type_)) files.try_emplace(file, context_.folder() / file);
    std::unordered_set<std::string> ids;
    // Other columns of a prompt may be called `id`, too.
    const bool own_id =
        type_ == artifact_type::demonstrations || type_ == artifact_type::texts || type_ == artifact_type::preferences;
    for_each_row(context_.work_folder() / "rows.jsonl", [&](const Value& row, const std::string&) -> Result<void> {
      const Value& identified = type_ == artifact_type::pairs ? row.at("group") : row;
      const std::string& name = identified.at(own_id ? "id" : "prompt_id").as_string();
      if (!ids.insert(name).second) {
        return Error(ErrorCode::plugin, fmt::format("wrote two rows with the id `{}`; each row has its own", name));
      }
      each_line(type_, row, [&](const std::string& file, const Value& line) { files.at(file).write(line); });
      return {};
    }).value();
    for (auto& [name, file] : files) file.flush();
  }

 private:
  StageContext& context_;
  const ComponentInfo& info_;
  const std::string type_;
  CheckedRows rows_;
  std::size_t saved_, written_ = 0;
};

void run_plugin_stage(StageContext& context, const std::string& name) {
  const KnownComponent* known = context.registry().find("stage", name);
  if (known == nullptr) throw Error(ErrorCode::plugin, fmt::format("there is no stage `{}`", name));
  const auto stage = make<Stage>(context.registry(), name, context.params(), context);
  PluginRun run(context, known->info);
  stage.call(&Stage::run, run);
  guarded(stage.name(), stage.stage(), [&] { run.finish(); });  // what it wrote is its own doing, too
}

// Before a run: nobody listens.
class NoHost final : public Host {
 public:
  void log(LogLevel, std::string_view) override {}
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return false; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return fs::temp_directory_path().string(); }
  [[nodiscard]] std::string recipe_folder() const override { return "."; }
  [[nodiscard]] void* query(std::string_view) override { return nullptr; }
};

// An estimate that fails is none.
void ask_for_estimate(const std::string& name, const ComponentInfo& info, const Registry& registry,
                      const EstimateFacts& facts, StageEstimate& estimate) {
  StageFacts known;
  for (const ParamInfo& param : info.params) {
    const auto rows = names_stages(param) ? facts.rows(param.name) : std::nullopt;
    if (rows) known.rows[param.name] = *rows;
  }
  try {
    NoHost host;
    const StageNeeds needs = make<Stage>(registry, name, facts.params(), host).call(&Stage::estimate, known);
    estimate.memory_bytes = needs.memory_bytes;
    estimate.disk_bytes = needs.disk_bytes;
    if (!estimate.seconds) estimate.seconds = needs.seconds;
  } catch (...) {
    return;
  }
}

}  // namespace

StageKind plugin_stage_kind(const KnownComponent& known, const std::string& name, const Registry& registry) {
  const ComponentInfo& info = known.info;
  StageKind out;
  out.kind = name;
  out.doc = info.doc;
  out.source = info.source;
  const bool fixed = info.yields.size() == 1;
  out.output = fixed ? info.yields.front() : "*";
  if (!fixed) out.output_from = deciding_input(info);
  out.params = info.params;
  out.uses_seed = [draws = needs(info, "random")](const Value&) { return draws; };
  out.estimate = [name, info, registry](const EstimateFacts& facts, StageEstimate& estimate) {
    ask_for_estimate(name, info, registry, facts, estimate);
  };
  out.body = [name](StageContext& context) { run_plugin_stage(context, name); };
  return out;
}

}  // namespace plumb
