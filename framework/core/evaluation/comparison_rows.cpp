#include "framework/core/evaluation/comparison_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace plumb {
namespace {

// Runs that differ in nothing but the seed.
struct Group {
  std::string label;
  std::vector<const RunScores*> runs;
};

bool belongs(const RunScores& run, const RunScores& other) {
  if (!run.sweep.empty() && run.sweep == other.sweep) return run.row == other.row;
  return run.recipe.is_null() ? run.row == other.row : run.recipe == other.recipe;
}

std::string place_of(const RunScores& run) {
  return run.folder.empty() ? run.name : run.folder;
}

std::vector<Group> groups_of(const std::vector<RunScores>& runs, std::vector<std::string>& notes) {
  std::vector<Group> groups;
  std::set<std::string> labels;
  for (const RunScores& run : runs) {
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return belongs(run, *g.runs.front()); });
    if (group == groups.end()) {
      std::string label = run.row;
      if (labels.contains(label)) label += " (" + place_of(run) + ")";
      for (int n = 2; labels.contains(label); ++n) label = fmt::format("{} ({}) #{}", run.row, place_of(run), n);
      labels.insert(label);
      groups.push_back({std::move(label), {&run}});
      continue;
    }
    const auto same = std::find_if(group->runs.begin(), group->runs.end(),
                                   [&](const RunScores* other) { return other->seed == run.seed; });
    if (same == group->runs.end()) {
      group->runs.push_back(&run);
    } else {
      notes.push_back(fmt::format("{} and {} have one recipe and one seed, {}: they are one run, and the first counts",
                                  place_of(**same), place_of(run), run.seed));
    }
  }
  return groups;
}

bool same_numbers(const ModelScores& a, const ModelScores& b) {
  const auto same_metric = [](const Metric& x, const Metric& y) { return x.name == y.name && x.value == y.value; };
  return a.scores == b.scores && a.scorers == b.scorers &&
         std::equal(a.metrics.begin(), a.metrics.end(), b.metrics.begin(), b.metrics.end(), same_metric);
}

// The same artifacts, asked the same and judged the same.
bool one_model(const Row& a, const Row& b) {
  return a.entries.size() == b.entries.size() &&
         std::all_of(a.entries.begin(), a.entries.end(), [&](const Entry& entry) {
           const Entry* other = entry_of(b, entry.run->seed);
           return other != nullptr && !entry.model->artifact.empty() &&
                  entry.model->artifact == other->model->artifact && same_numbers(*entry.model, *other->model);
         });
}

// What two arms did not change, such as the policy they start from, would else stand there twice and count twice.
std::vector<Row> join_models(std::vector<Row> rows, std::vector<std::string>& notes) {
  std::vector<Row> out;
  for (Row& row : rows) {
    const auto first = std::find_if(out.begin(), out.end(), [&](const Row& other) { return one_model(other, row); });
    if (first == out.end()) {
      out.push_back(std::move(row));
    } else {
      first->other_names.push_back(row.name);
    }
  }
  for (Row& row : out) {
    if (row.other_names.empty()) continue;
    notes.push_back(fmt::format("{} is the same model as {}: one row", row.name, fmt::join(row.other_names, ", ")));
    const std::string& model = row.entries.front().model->model;
    const bool taken = std::any_of(out.begin(), out.end(), [&](const Row& other) { return other.name == model; });
    if (taken || !row.name.ends_with(": " + model)) continue;  // a row called by its setting keeps that name
    row.other_names.push_back(row.name);
    row.name = model;
  }
  return out;
}

}  // namespace

// A name is as short as it can be: the row where each run has one model, the model where there is one row.
std::vector<Row> rows_of(const std::vector<RunScores>& runs, std::vector<std::string>& notes) {
  const std::vector<Group> groups = groups_of(runs, notes);
  const bool single =
      std::all_of(runs.begin(), runs.end(), [](const RunScores& run) { return run.models.size() == 1; });
  std::vector<Row> rows;
  for (const Group& group : groups) {
    const std::size_t first = rows.size();
    for (const RunScores* run : group.runs) {
      for (const ModelScores& model : run->models) {
        const std::string name = single               ? group.label
                                 : groups.size() == 1 ? model.model
                                                      : group.label + ": " + model.model;
        auto row = std::find_if(rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end(),
                                [&](const Row& r) { return r.name == name; });
        if (row == rows.end()) row = rows.insert(row, Row{name, {}, {}});
        row->entries.push_back({run, &model});
      }
    }
  }
  return join_models(std::move(rows), notes);
}

}  // namespace plumb
