#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/evaluation/evaluation_file.h"
#include "framework/report/sections.h"

namespace plumb {
namespace {

// Prompts at even distances in the evaluation's own order, so that nobody picks the examples.
std::vector<std::string> spread(const std::vector<EvaluatedAnswer>& answers, std::size_t wanted) {
  std::vector<std::string> ids;
  std::set<std::string> seen;
  for (const EvaluatedAnswer& answer : answers) {
    if (seen.insert(answer.prompt_id).second) ids.push_back(answer.prompt_id);
  }
  const std::size_t count = std::min(wanted, ids.size());
  std::vector<std::string> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(ids[i * ids.size() / count]);
  return chosen;
}

void add_prompt(Document& page, const std::vector<const EvaluatedAnswer*>& shown) {
  std::set<std::string> names;
  for (const EvaluatedAnswer* answer : shown) {
    for (const auto& score : answer->scores) names.insert(score.first);
  }
  page.add(Talk{shown.front()->prompt});
  Table table{{"model", "answer"}, {}};
  table.header.insert(table.header.end(), names.begin(), names.end());
  for (const EvaluatedAnswer* answer : shown) {
    table.rows.push_back({answer->model, answer->answer});
    for (const std::string& name : names) {
      const auto found = answer->scores.find(name);
      table.rows.back().push_back(found == answer->scores.end() ? "" : fmt::format("{:.3f}", found->second));
    }
  }
  page.add(std::move(table));
}

}  // namespace

void add_answers(Document& page, const std::vector<EvaluatedAnswer>& answers, std::size_t examples) {
  page.add(Paragraph{{"Prompts at even distances in the data; the first answer of each model."}});
  for (const std::string& id : spread(answers, examples)) {
    std::set<std::string> models;
    std::vector<const EvaluatedAnswer*> shown;
    for (const EvaluatedAnswer& answer : answers) {
      if (answer.prompt_id == id && models.insert(answer.model).second) shown.push_back(&answer);
    }
    add_prompt(page, shown);
  }
}

void add_answers(Report& report, const ReportItem& item, std::size_t examples) {
  const std::vector<EvaluatedAnswer> answers = read_answers(item.artifact.folder).value();
  if (examples == 0 || answers.empty()) return;
  report.page.add(Heading{2, "Answers of " + item.name});
  add_answers(report.page, answers, examples);
}

}  // namespace plumb
