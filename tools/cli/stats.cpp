// `plumb stats alpaca-eval FILE` and `plumb stats mt-bench FILE`: the benchmarks' numbers from their own files.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <cmath>
#include <iostream>
#include <set>

#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/text.h"
#include "plumb/benchmarks.h"
#include "plumb/error.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

Value number(double value) {
  return std::isnan(value) ? Value() : Value(value);
}

Value count(std::size_t value) {
  return static_cast<std::int64_t>(value);
}

// One file of annotations is one model against one reference; a mixture would give a number that means nothing.
void require_one_model(const std::string& file, const std::vector<AlpacaAnnotation>& rows) {
  if (rows.empty()) throw Error(ErrorCode::data, file + ": holds no annotations");
  std::set<std::pair<std::string, std::string>> pairs;
  for (const AlpacaAnnotation& row : rows) pairs.insert({row.generator_1, row.generator_2});
  if (pairs.size() < 2) return;
  throw Error(ErrorCode::data, fmt::format("{}: compares {} with {} and {} with {}; wanted one model against one "
                                           "reference",
                                           file, pairs.begin()->second, pairs.begin()->first, pairs.rbegin()->second,
                                           pairs.rbegin()->first));
}

void alpaca_eval(const std::string& file, bool json) {
  const std::vector<AlpacaAnnotation> rows = read_alpaca_annotations(file);
  require_one_model(file, rows);
  const AlpacaWinRate result = alpaca_eval_win_rate(rows);
  if (json) {
    unfiltered_output() << to_json(Value::map({{"win_rate", number(result.rate.mean)},
                                               {"standard_error", number(result.rate.standard_error)},
                                               {"n_total", count(result.rate.count)}}))
                        << "\n";
    return;
  }
  std::cout << fmt::format("{} against {}\n", printable(rows.front().generator_2), printable(rows.front().generator_1))
            << fmt::format("  win rate        {:.2f} %, standard error {:.2f}\n", result.rate.mean,
                           result.rate.standard_error)
            << fmt::format("  of {:<12} wins {}, losses {}, draws {}\n", result.rate.count, result.wins,
                           result.wins_base, result.draws);
  if (result.failed > 0) std::cout << fmt::format("  not counted     {} without a preference\n", result.failed);
}

void mt_bench(const std::string& file, bool json) {
  const auto scores = mt_bench_scores(read_mt_bench_judgments(file));
  if (scores.empty()) throw Error(ErrorCode::data, file + ": holds no judgments");
  if (json) {
    Value models = Value::map();
    for (const auto& [name, score] : scores) {
      models.set(name, Value::map({{"average", number(score.average)},
                                   {"turn_1", number(score.turn_1)},
                                   {"turn_2", number(score.turn_2)},
                                   {"failed", count(score.failed)}}));
    }
    unfiltered_output() << to_json(Value::map({{"models", models}})) << "\n";
    return;
  }
  std::size_t width = 5;
  for (const auto& [name, score] : scores) width = std::max(width, name.size());
  std::cout << fmt::format("{:<{}}  average  turn 1  turn 2  failed\n", "model", width);
  const auto shown = [](double value) { return std::isnan(value) ? std::string("-") : fmt::format("{:.2f}", value); };
  for (const auto& [name, score] : scores) {
    std::cout << fmt::format("{:<{}}  {:>7}  {:>6}  {:>6}  {:>6}\n", printable(name), width, shown(score.average),
                             shown(score.turn_1), shown(score.turn_2), score.failed);
  }
}

}  // namespace

int run_stats(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("benchmark", po::value<std::string>()->required(), "alpaca-eval or mt-bench")(
      "file", po::value<std::string>()->required(),
      "alpaca_eval's annotations.json, or FastChat's model_judgment/JUDGE_single.jsonl")("json", "print JSON");
  const auto given = parse_verb(
      argc, argv,
      {"alpaca-eval|mt-bench FILE [--json]",
       "Computes a benchmark's numbers from its judgments, as its own tool does. AlpacaEval: the win rate in percent,\n"
       "draws counting half. MT-Bench: the mean score of each model and turn; of several judgments of a question and\n"
       "turn by one judge the last counts, and those without a rating are counted as failed beside the mean."},
      options, {"benchmark", "file"});
  if (!given) return 0;
  const auto benchmark = (*given)["benchmark"].as<std::string>(), file = (*given)["file"].as<std::string>();
  const bool json = given->count("json") != 0;
  if (benchmark == "alpaca-eval") {
    alpaca_eval(file, json);
  } else if (benchmark == "mt-bench") {
    mt_bench(file, json);
  } else {
    throw Error(ErrorCode::recipe,
                fmt::format("`stats` knows no benchmark `{}`; there are alpaca-eval and mt-bench", benchmark));
  }
  return 0;
}

}  // namespace plumb::cli
