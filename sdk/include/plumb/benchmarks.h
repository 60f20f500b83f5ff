// The file formats of MT-Bench (FastChat) and AlpacaEval (alpaca_eval), and the numbers their own tools compute from
// them.
//
//   auto scores = plumb::mt_bench_scores(plumb::read_mt_bench_judgments("gpt-4_single.jsonl"));
//   scores["llama-2-chat"].average;
//   auto wins = plumb::alpaca_eval_win_rate(plumb::read_alpaca_annotations("annotations.json"));
//   wins.rate.mean, wins.rate.standard_error;
//
// Errors are Error(data) with file:line. Thread contract: functions are [any].
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plumb/statistics.h"
#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

// One row of model_judgment/JUDGE_single.jsonl.
struct MtBenchJudgment {
  std::string question_id, model, judge, judge_template;
  std::string user_prompt, judgment;
  double score = -1;  // 1 to 10; -1: the judge's answer held no rating
  int turn = 1;
};

struct MtBenchScore {
  double average = 0, turn_1 = 0,
         turn_2 = 0;  // means over rated judgments; the average pools both turns, as FastChat's does
  std::size_t rated_1 = 0, rated_2 = 0;
  std::size_t failed = 0;                    // judgments without a rating
  std::map<std::string, double> categories;  // both turns pooled; filled when the questions' categories are given
};

std::vector<MtBenchJudgment> read_mt_bench_judgments(const std::string& file);

// By model. A second judgment of the same question and turn by the same judge replaces the first.
std::map<std::string, MtBenchScore> mt_bench_scores(
    const std::vector<MtBenchJudgment>& judgments, const std::map<std::string, std::string>& category_of_question = {});

// The rating in a judge's answer: the first [[7]] or [[7.5]], else the first [7]; nothing when there is none.
std::optional<double> parse_rating(const std::string& judgment);

struct MtBenchQuestion {
  std::string question_id, category;
  std::vector<std::string> turns;
  std::vector<std::string> reference;  // empty when the file has none
};
std::vector<MtBenchQuestion> read_mt_bench_questions(const std::string& file);

// model_answer/MODEL.jsonl: the turns' answers by question id.
std::map<std::string, std::vector<std::string>> read_mt_bench_answers(const std::string& file);

// One row of annotations.json. `preference` is 1 when output_1 (the reference) wins, 2 when output_2 wins, between them
// for a weighted annotator; 0 and 1.5 are draws; absent when the annotator failed.
struct AlpacaAnnotation {
  std::string instruction, output_1, output_2, generator_1, generator_2, annotator, dataset;
  std::optional<double> preference;
};

struct AlpacaWinRate {
  Estimate rate;  // of generator_2, in percent; draws count half
  std::size_t wins = 0, wins_base = 0, draws = 0, failed = 0;
};

std::vector<AlpacaAnnotation> read_alpaca_annotations(const std::string& file);
AlpacaWinRate alpaca_eval_win_rate(const std::vector<AlpacaAnnotation>& annotations);

// One row of model_outputs.json.
struct AlpacaOutput {
  std::string instruction, output, generator, dataset;
};
std::vector<AlpacaOutput> read_alpaca_outputs(const std::string& file);

}  // namespace v1
}  // namespace plumb
