// `plumb report RUN`: a run or a sweep as one HTML file.
#include "framework/core/report/report.h"

#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <iostream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/report/html.h"
#include "tools/cli/run_folder.h"
#include "tools/cli/sweep_page.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

Document page_of(const fs::path& folder, const Examples& examples) {
  const Value run = read_run(folder);
  const auto artifacts = run_artifacts(run, folder);
  if (artifacts.empty()) {
    throw Error(ErrorCode::data,
                fmt::format("{}: no stage of this run has finished (status {}), so there is nothing to report yet; "
                            "`plumb run {}` goes on",
                            folder.string(), run.at("status").as_string(), run.at("file").as_string()));
  }
  ReportRequest request{.title = fmt::format("{}, seed {}", run.at("recipe").as_string(), run.at("seed").as_int()),
                        .items = {},
                        .examples = examples};
  for (const auto& [name, artifact] : artifacts) request.items.emplace_back(name, &artifact);
  return write_report(request).value().page;
}

}  // namespace

int run_report(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("run", po::value<std::string>()->required(),
                        "the folder of a run or a sweep, such as runs/quickstart")(
      "output", po::value<std::string>(), "the file to write (default: report.html in the run's folder)")(
      "examples", po::value<int>()->default_value(20), "prompts whose answers are shown, for each evaluation")(
      "prompt", po::value<std::vector<std::string>>()->composing(),
      "show this one in their place, by its id or by how it begins; may be given several times");
  const auto given = parse_verb(argc, argv,
                                {"RUN [--output FILE] [--examples N | --prompt TEXT...]",
                                 "Writes everything a run or a sweep produced as one HTML file that needs no "
                                 "network and no scripts: scores\nwith intervals, reward gaps, pairs by threshold, "
                                 "training curves, answers side by side, time and memory.\nEvery figure carries its "
                                 "data as CSV."},
                                options, {"run"});
  if (!given) return 0;
  const int examples = (*given)["examples"].as<int>();
  if (examples < 0) {
    throw Error(ErrorCode::recipe, fmt::format("--examples {}: wanted a number of prompts, 0 or more", examples));
  }
  const fs::path folder = (*given)["run"].as<std::string>();
  const fs::path file =
      given->count("output") != 0 ? fs::path((*given)["output"].as<std::string>()) : folder / "report.html";
  Examples shown{.count = static_cast<std::size_t>(examples)};
  if (given->count("prompt") != 0) shown.prompts = (*given)["prompt"].as<std::vector<std::string>>();
  const Document page = is_sweep(folder) ? sweep_page(folder, shown) : page_of(folder, shown);
  write_file(file, to_html(page)).value();
  std::cout << file.string() << "\n";
  return 0;
}

}  // namespace plumb::cli
