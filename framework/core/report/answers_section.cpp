#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/report/sections.h"

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

void add_prompts(Document& page, const std::vector<EvaluatedAnswer>& answers, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    std::set<std::string> models;
    std::vector<const EvaluatedAnswer*> shown;
    for (const EvaluatedAnswer& answer : answers) {
      if (answer.prompt_id == id && models.insert(answer.model).second) shown.push_back(&answer);
    }
    add_prompt(page, shown);
  }
}

// Takes what it finds out of `missing`.
std::vector<std::string> chosen(const std::vector<EvaluatedAnswer>& answers, const Examples& examples,
                                std::set<std::string>& missing) {
  if (examples.prompts.empty()) return spread(answers, examples.count);
  std::vector<std::string> ids;
  for (const std::string& wanted : examples.prompts) {
    const auto answer = std::find_if(answers.begin(), answers.end(), [&](const EvaluatedAnswer& known) {
      return known.prompt_id == wanted || (!known.prompt.empty() && known.prompt.back().content.starts_with(wanted));
    });
    if (answer == answers.end()) continue;
    missing.erase(wanted);
    ids.push_back(answer->prompt_id);
  }
  return ids;
}

void refuse(const std::set<std::string>& missing) {
  if (missing.empty()) return;
  throw Error(ErrorCode::recipe,
              fmt::format("example prompts: nothing that is shown here answered a prompt with the id "
                          "`{}` or one that begins so; answers.jsonl has both",
                          *missing.begin()));
}

}  // namespace

void add_answers(Document& page, const std::vector<EvaluatedAnswer>& answers, const Examples& examples) {
  std::set<std::string> missing(examples.prompts.begin(), examples.prompts.end());
  add_prompts(page, answers, chosen(answers, examples, missing));
  refuse(missing);
}

void add_answers(Report& report, const std::vector<ReportItem>& evaluations, const Examples& examples) {
  std::set<std::string> missing(examples.prompts.begin(), examples.prompts.end());
  for (const ReportItem& item : evaluations) {
    const std::vector<EvaluatedAnswer> answers = read_answers(item.artifact.folder).value();
    const std::vector<std::string> ids = chosen(answers, examples, missing);
    if (ids.empty()) continue;
    report.page.add(Heading{2, "Answers of " + item.name});
    report.page.add(
        Paragraph{{examples.prompts.empty() ? "Prompts at even distances in the data; the first answer of each model."
                                            : "Chosen prompts; the first answer of each model."}});
    add_prompts(report.page, answers, ids);
  }
  refuse(missing);
}

}  // namespace plumb
