#include "framework/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "framework/artifacts/records_file.h"
#include "framework/evaluation/evaluation_file.h"
#include "framework/report/scores.h"
#include "framework/report/text.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

struct Item {
  const std::string& name;
  const fs::path& folder;
  const ArtifactManifest& manifest;
};

std::string string_at(const Value& map, std::string_view key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  return found != nullptr && found->is_string() ? found->as_string() : "";
}

std::vector<std::string> strings_at(const Value& map, std::string_view key) {
  std::vector<std::string> strings;
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  if (found == nullptr || !found->is_list()) return strings;
  for (const Value& value : found->as_list()) strings.push_back(value.as_string());
  return strings;
}

std::string component_at(const Value& params, std::string_view key) {
  const Value* found = params.is_map() ? params.find(key) : nullptr;
  return found == nullptr ? "" : found->is_string() ? found->as_string() : string_at(*found, "name");
}

// "reward-gap (eta 0.85, tau 1)": a component's name with the parameters that were given.
std::string show_component(const Value& component) {
  if (!component.is_map()) return show_value(component);
  std::string name, given;
  for (const auto& [key, value] : component.as_map()) {
    if (value.is_null()) continue;
    if (key == "name") {
      name = show_value(value);
    } else {
      given += fmt::format("{}{} {}", given.empty() ? "" : ", ", key, show_value(value));
    }
  }
  return given.empty() ? name : fmt::format("{} ({})", name, given);
}

// --- evaluations ---

Scores scores_of(const Item& item) {
  const std::vector<Metric> metrics = read_metrics(item.folder).value();
  const Value& params = item.manifest.params;
  std::map<std::string, std::string> names;
  if (const std::string judge = component_at(params, "judge"); !judge.empty()) names["judge"] = judge;
  return arrange_scores(metrics, strings_at(params, "models"), string_at(params, "baseline"), names);
}

void add_scores(Report& report, const Item& item) {
  const Scores scores = scores_of(item);
  const Value& params = item.manifest.params;
  const auto number = [&](std::string_view key) {
    const Value* found = item.manifest.summary.is_map() ? item.manifest.summary.find(key) : nullptr;
    if (found == nullptr && params.is_map()) found = params.find(key);
    return found == nullptr ? std::string("?") : show_value(*found);
  };
  const std::string how =
      fmt::format("{} held-out prompts × {} answers at temperature {}; ± is half of the 95 % interval over prompts",
                  number("prompts"), number("samples"), number("temperature"));
  report.markdown +=
      fmt::format("## {}\n\n{}.\n\n{}\n", escape_markdown(item.name), escape_markdown(how), to_markdown(scores.full));
  for (const std::string& verdict : scores.verdicts) report.markdown += fmt::format("- {}\n", escape_markdown(verdict));
  for (const Metric& metric : scores.others) {
    report.markdown += fmt::format("- {}: {}\n", escape_markdown(metric.name), escape_markdown(show_metric(metric)));
  }
  report.markdown += '\n';

  report.text += fmt::format("{}: {}\n\n{}\n", item.name, how, to_text(scores.brief));
  for (const std::string& verdict : scores.verdicts) report.text += fmt::format("  {}\n", verdict);
  report.text += '\n';
}

// --- pairs ---

void add_pairs(Report& report, const Item& item) {
  const Value policy = item.manifest.params.is_map() && item.manifest.params.find("policy") != nullptr
                           ? item.manifest.params.at("policy")
                           : Value::map();
  const Value& summary = item.manifest.summary;
  const auto count = [&](std::string_view key) {
    const Value* found = summary.is_map() ? summary.find(key) : nullptr;
    return found == nullptr ? std::string("?") : show_value(*found);
  };
  std::string line = fmt::format("{} pairs from {} of {} prompts by {}", count("pairs"), count("prompts_used"),
                                 count("prompts"), show_component(policy));
  if (summary.is_map() && summary.find("delta") != nullptr)
    line += fmt::format(": reward gap > δ = {}", count("delta"));
  report.text += fmt::format("{}: {}\n", item.name, line);
  report.markdown += fmt::format("## {}\n\n{}.\n\n", escape_markdown(item.name), escape_markdown(line));
  for (const auto& [key, value] : summary.is_map() ? summary.as_map() : Value::Map{}) {
    report.markdown += fmt::format("- {}: {}\n", escape_markdown(key), escape_markdown(show_value(value)));
  }

  const fs::path file = item.folder / "gaps.json";
  const Value gaps = parse_json(read_file(file).value(), file.string());
  const Value* thresholds = gaps.find("thresholds");
  if (thresholds == nullptr) return;
  Table table{{"η at τ = 1", "δ", "pairs", "prompts with a pair"}, {}};
  for (const Value& row : thresholds->as_list()) {
    table.rows.push_back({show_value(row.at("eta")), fmt::format("{:.3f}", row.at("delta").as_double()),
                          show_value(row.at("pairs")), show_value(row.at("prompts"))});
  }
  report.markdown += fmt::format(
      "\nPairs that each threshold on the reward gap would keep (δ = τ ln(η / (1 − η))):\n\n{}\n", to_markdown(table));
}

// --- training ---

// At most `rows` of the steps, evenly spaced, the first and the last among them.
std::vector<Value> thin(std::vector<Value> all, std::size_t rows) {
  if (all.size() <= rows) return all;
  std::vector<Value> kept;
  for (std::size_t i = 0; i < rows; ++i) kept.push_back(all[i * (all.size() - 1) / (rows - 1)]);
  return kept;
}

std::string curve_of(const fs::path& folder) {
  static constexpr std::array<std::string_view, 9> shown{
      "loss",          "accuracy",  "rewards/accuracies", "rewards/margins",        "learning_rate",
      "eval_accuracy", "eval_loss", "eval_margin",        "eval_rewards/accuracies"};
  std::error_code ignored;
  if (!fs::exists(folder / "metrics.jsonl", ignored)) return {};
  std::vector<Value> rows;
  std::set<std::string> present;
  for_each_row(folder / "metrics.jsonl", [&](const Value& row, const std::string&) -> Result<void> {
    rows.push_back(row);
    for (const auto& entry : row.as_map()) present.insert(entry.key);
    return {};
  }).value();
  Table table{{"step"}, {}};
  for (const Value& row : thin(std::move(rows), 8)) {
    const Value* step = row.find("step");
    table.rows.push_back({step == nullptr ? "" : show_value(*step)});
    for (const std::string_view name : shown) {
      if (!present.contains(std::string(name))) continue;
      const Value* value = row.find(name);
      table.rows.back().push_back(value == nullptr ? "" : show_value(*value));
    }
  }
  for (const std::string_view name : shown) {
    if (present.contains(std::string(name))) table.header.emplace_back(name);
  }
  return table.header.size() > 1 && !table.rows.empty() ? to_markdown(table) + "\n" : "";
}

void add_training(Report& report, const Item& item) {
  report.markdown += fmt::format("### {}\n\nStage {} in {:.0f} s, at most {:.0f} MiB of memory.\n\n",
                                 escape_markdown(item.name), code_markdown(item.manifest.stage_kind),
                                 item.manifest.seconds, static_cast<double>(item.manifest.peak_bytes) / (1 << 20));
  const Value& summary = item.manifest.summary;
  for (const auto& [key, value] : summary.is_map() ? summary.as_map() : Value::Map{}) {
    report.markdown += fmt::format("- {}: {}\n", escape_markdown(key), escape_markdown(show_value(value)));
  }
  const std::string curve = curve_of(item.folder);
  report.markdown += curve.empty() ? "\n" : "\n" + curve;
}

// --- answers side by side ---

// Prompts at even distances in the evaluation's own order, so that nobody picks the examples.
std::vector<std::string> spread(const std::vector<EvaluatedAnswer>& answers, std::size_t wanted) {
  std::vector<std::string> ids;
  std::set<std::string> seen;
  for (const EvaluatedAnswer& answer : answers) {
    if (seen.insert(answer.prompt_id).second) ids.push_back(answer.prompt_id);
  }
  std::vector<std::string> chosen;
  for (std::size_t i = 0; i < std::min(wanted, ids.size()); ++i)
    chosen.push_back(ids[i * ids.size() / std::min(wanted, ids.size())]);
  return chosen;
}

void add_examples(Report& report, const Item& item, std::size_t examples) {
  const std::vector<EvaluatedAnswer> answers = read_answers(item.folder).value();
  if (examples == 0 || answers.empty()) return;
  report.markdown +=
      fmt::format("## Answers of {}\n\nPrompts at even distances in the data; the first answer of each model.\n",
                  escape_markdown(item.name));
  for (const std::string& id : spread(answers, examples)) {
    std::set<std::string> models, names;
    std::vector<const EvaluatedAnswer*> shown;
    for (const EvaluatedAnswer& answer : answers) {
      if (answer.prompt_id != id || !models.insert(answer.model).second) continue;
      shown.push_back(&answer);
      for (const auto& score : answer.scores) names.insert(score.first);
    }
    report.markdown += '\n';
    for (const Message& message : shown.front()->prompt) {
      report.markdown +=
          fmt::format("> **{}:** {}\n>\n", escape_markdown(message.role), escape_markdown(message.content));
    }
    Table table{{"model", "answer"}, {}};
    for (const std::string& name : names) table.header.push_back(escape_markdown(name));
    for (const EvaluatedAnswer* answer : shown) {
      table.rows.push_back({escape_markdown(answer->model), escape_markdown(answer->answer)});
      for (const std::string& name : names) {
        const auto found = answer->scores.find(name);
        table.rows.back().push_back(found == answer->scores.end() ? "" : fmt::format("{:.3f}", found->second));
      }
    }
    report.markdown += "\n" + to_markdown(table);
  }
  report.markdown += '\n';
}

void add_models(Report& report, const std::vector<Item>& models) {
  report.markdown += "## Where the models are\n\nEach is a folder that Hugging Face libraries load, too.\n\n";
  for (const Item& item : models) {
    report.markdown += fmt::format("- {}: {}\n", escape_markdown(item.name), code_markdown(item.folder.string()));
  }
  for (auto item = models.rbegin(); item != models.rend(); ++item) {
    if (item->manifest.type != artifact_type::model) continue;
    report.markdown += fmt::format("\nTalk to one: {}\n", code_markdown("plumb chat '" + item->folder.string() + "'"));
    return;
  }
}

}  // namespace

Report write_report(const ReportRequest& request) {
  std::vector<Item> evaluations, pairs, models;
  for (const auto& [name, artifact] : request.items) {
    const Item item{name, artifact->folder, artifact->manifest};
    const std::string& type = item.manifest.type;
    if (type == artifact_type::metrics) evaluations.push_back(item);
    if (type == artifact_type::pairs) pairs.push_back(item);
    if (type == artifact_type::model || type == artifact_type::reward_model) models.push_back(item);
  }
  Report report;
  report.markdown = fmt::format("# {}\n\n", request.title.empty() ? "Report" : escape_markdown(request.title));
  for (const Item& item : evaluations) add_scores(report, item);
  for (const Item& item : pairs) add_pairs(report, item);
  for (const Item& item : evaluations) add_examples(report, item, request.examples);
  if (!models.empty()) {
    report.markdown += "## Training\n\n";
    for (const Item& item : models) add_training(report, item);
    add_models(report, models);
  }
  report.text = printable(report.text);
  return report;
}

}  // namespace plumb
