// `plumb compare RUN…`: rows of runs side by side, and what can be told apart.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iostream>

#include "framework/core/report/comparison_table.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using Texts = std::vector<std::string>;

struct Gathered {
  std::vector<RunScores> runs;
  std::string baseline, title;
  std::vector<std::string> missing;
};

Gathered gather(const Texts& folders) {
  Gathered out;
  for (const std::string& folder : folders) {
    ScoresOf scores = read_scores(folder).value();
    for (RunScores& run : scores.runs) out.runs.push_back(std::move(run));
    if (out.baseline.empty()) out.baseline = scores.baseline;
    out.missing.insert(out.missing.end(), scores.missing.begin(), scores.missing.end());
    out.title += (out.title.empty() ? "" : ", ") + folder;
  }
  return out;
}

}  // namespace

int run_compare(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("run", po::value<Texts>()->composing()->required(),
                        "folders of runs or of a sweep, such as runs/table-1")(
      "baseline", po::value<std::string>()->value_name("ROW"), "the row that others are compared with")(
      "json", "print JSON")("csv", "print CSV");
  const auto given = parse_verb(argc, argv,
                                {"RUN... [--baseline ROW] [--json | --csv]",
                                 "Compares evaluated runs, or the arms of a sweep: means with their deviation over "
                                 "seeds, differences to one row\n"
                                 "with intervals over prompts and seeds, win rates, and how the recipes differ."},
                                options, {"run"});
  if (!given) return 0;
  Gathered gathered = gather((*given)["run"].as<Texts>());
  if (given->count("baseline") != 0) gathered.baseline = (*given)["baseline"].as<std::string>();
  Comparison comparison = compare(gathered.runs, {.baseline = gathered.baseline}).value();
  for (const std::string& arm : gathered.missing) comparison.notes.push_back("without " + arm);
  if (given->count("json") != 0) {
    unfiltered_output() << to_json(to_value(comparison), false, 2) << "\n";
  } else if (given->count("csv") != 0) {
    unfiltered_output() << to_csv(comparison);
  } else {
    std::cout << to_text(comparison, gathered.title);
  }
  return 0;
}

}  // namespace plumb::cli
