#include "framework/core/evaluation/evaluation_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "framework/core/artifacts/records_file.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

constexpr const char* metrics_file = "metrics.json";
constexpr const char* answers_file = "answers.jsonl";

std::optional<double> number_at(const Value& row, std::string_view key) {
  const Value* found = row.find(key);
  return found == nullptr ? std::nullopt : std::optional(found->as_double());
}

// Rows of several evaluators as one: the n-th time that a model gave a text to a prompt is the same answer in each.
std::vector<EvaluatedAnswer> merge(const std::vector<std::pair<std::string, Evaluation>>& evaluations) {
  std::vector<EvaluatedAnswer> rows;
  std::map<std::tuple<std::string, std::string, std::string, int>, std::size_t> known;
  for (const auto& [evaluator, evaluation] : evaluations) {
    std::map<std::tuple<std::string, std::string, std::string>, int> times;
    for (const EvaluatedAnswer& answer : evaluation.answers) {
      const int time = times[{answer.model, answer.prompt_id, answer.answer}]++;
      const auto [place, is_new] =
          known.try_emplace({answer.model, answer.prompt_id, answer.answer, time}, rows.size());
      if (is_new) {
        rows.push_back(answer);
        rows.back().extra = Value::map();
      }
      EvaluatedAnswer& row = rows[place->second];
      row.scores.insert(answer.scores.begin(), answer.scores.end());
      if (!answer.extra.is_null()) row.extra.set(evaluator, answer.extra);
    }
  }
  return rows;
}

Value to_value(const EvaluatedAnswer& answer) {
  Value scores = Value::map(), prompt = Value::List{};
  for (const auto& [name, score] : answer.scores) scores.set(name, score);
  for (const Message& message : answer.prompt) {
    prompt.as_list().push_back(Value::map({{"role", message.role}, {"content", message.content}}));
  }
  return Value::map({{"prompt_id", answer.prompt_id},
                     {"model", answer.model},
                     {"prompt", std::move(prompt)},
                     {"answer", answer.answer},
                     {"scores", std::move(scores)},
                     {"extra", answer.extra}});
}

Result<Value> joined_metrics(const std::vector<std::pair<std::string, Evaluation>>& evaluations) {
  Value::List metrics;
  std::map<std::string, std::string> reported;
  for (const auto& [evaluator, evaluation] : evaluations) {
    for (const Metric& metric : evaluation.metrics) {
      const auto [first, is_new] = reported.try_emplace(metric.name, evaluator);
      if (!is_new) {
        return Error(ErrorCode::plugin,
                     fmt::format("evaluators {} and {} both report the metric `{}`; give them to two "
                                 "evaluate stages",
                                 first->second, evaluator, metric.name));
      }
      metrics.push_back(plumb::to_value(metric));
      const auto failures = evaluation.failures.find(metric.name);
      if (failures != evaluation.failures.end()) metrics.back().set("failures", failures->second);
    }
  }
  return Value(std::move(metrics));
}

// A name, or names with slashes between them; none that starts with a dot.
bool stays_inside(const std::string& name) {
  const fs::path path(name);
  const auto plain = [](const fs::path& part) { return !part.empty() && part.native().front() != '.'; };
  return !name.empty() && path.is_relative() && std::all_of(path.begin(), path.end(), plain);
}

}  // namespace

std::string name_at(const Value& map, std::string_view key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  if (found != nullptr && found->is_map()) found = found->find("name");
  return found != nullptr && found->is_string() ? found->as_string() : "";
}

Value to_value(const Metric& metric) {
  Value value = Value::map({{"name", metric.name}, {"value", metric.value}});
  if (metric.low) value.set("low", *metric.low);
  if (metric.high) value.set("high", *metric.high);
  if (metric.standard_error) value.set("standard_error", *metric.standard_error);
  if (metric.count) value.set("count", *metric.count);
  return value;
}

Result<void> write_evaluations(const fs::path& folder,
                               const std::vector<std::pair<std::string, Evaluation>>& evaluations) {
  Result<Value> metrics = joined_metrics(evaluations);
  if (!metrics) return metrics.error();
  std::set<std::string> taken{metrics_file, answers_file, "manifest.json"};
  for (const auto& [evaluator, evaluation] : evaluations) {
    for (const auto& [name, content] : evaluation.files) {
      if (!stays_inside(name) || !taken.insert(name).second) {
        return Error(
            ErrorCode::plugin,
            fmt::format("evaluator {} writes a file `{}`; a file needs a plain name of its own", evaluator, name));
      }
      fs::create_directories((folder / name).parent_path());
      if (Result<void> written = write_file(folder / name, content); !written) return written;
    }
  }
  RowWriter rows(folder / answers_file);
  for (const EvaluatedAnswer& answer : merge(evaluations)) rows.write(to_value(answer));
  rows.flush();
  return write_file(folder / metrics_file, to_json(*metrics, false, 1) + "\n");
}

namespace {

Result<void> for_each_metric(const fs::path& folder, const std::function<void(const Value& row)>& use) {
  const fs::path file = folder / metrics_file;
  Result<std::string> text = read_file(file);
  if (!text) return text.error();
  try {
    const Value rows = parse_json(*text, file.string());
    for (const Value& row : rows.as_list()) use(row);
    return {};
  } catch (const Error& error) {
    return Error(ErrorCode::data, fmt::format("{}: not a list of metrics: {}", file.string(), error.what()));
  }
}

}  // namespace

Result<std::vector<Metric>> read_metrics(const fs::path& folder) {
  std::vector<Metric> metrics;
  const Result<void> read = for_each_metric(folder, [&](const Value& row) {
    Metric metric{row.at("name").as_string(), row.at("value").as_double(),      number_at(row, "low"),
                  number_at(row, "high"),     number_at(row, "standard_error"), {}};
    if (const Value* count = row.find("count"); count != nullptr) metric.count = count->as_int();
    metrics.push_back(std::move(metric));
  });
  if (!read) return read.error();
  return metrics;
}

Result<std::map<std::string, std::int64_t>> read_failures(const fs::path& folder) {
  std::map<std::string, std::int64_t> failures;
  const Result<void> read = for_each_metric(folder, [&](const Value& row) {
    if (const Value* found = row.find("failures"); found != nullptr)
      failures[row.at("name").as_string()] = found->as_int();
  });
  if (!read) return read.error();
  return failures;
}

Result<std::vector<EvaluatedAnswer>> read_answers(const fs::path& folder) {
  std::vector<EvaluatedAnswer> answers;
  Result<void> read =
      for_each_row(folder / answers_file, [&](const Value& row, const std::string& where) -> Result<void> {
        try {
          EvaluatedAnswer answer;
          answer.prompt_id = row.at("prompt_id").as_string();
          answer.model = row.at("model").as_string();
          answer.answer = row.at("answer").as_string();
          for (const Value& message : row.at("prompt").as_list()) {
            answer.prompt.push_back({message.at("role").as_string(), message.at("content").as_string()});
          }
          for (const auto& [name, score] : row.at("scores").as_map()) answer.scores[name] = score.as_double();
          answer.extra = row.at("extra");
          answers.push_back(std::move(answer));
          return {};
        } catch (const Error& error) {
          return Error(ErrorCode::data, fmt::format("{}: {}", where, error.what()));
        }
      });
  if (!read) return read.error();
  return answers;
}

}  // namespace plumb
