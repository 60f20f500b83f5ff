// Answers with recorded judgments instead of asking anybody: FastChat's model_judgment files and alpaca_eval's
// annotations.
#include <plumb/benchmarks.h>
#include <plumb/judge.h>

#include <plumb/plugin.h>

namespace {

class ReplayJudge final : public plumb::Judge {
 public:
  struct Settings {
    std::string mt_bench, alpaca_eval;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"recorded judgments, so that an evaluation can be repeated without a judge model"};
    p.add(&Settings::mt_bench, "mt_bench", "FastChat's model_judgment file (…_single.jsonl)").path();
    p.add(&Settings::alpaca_eval, "alpaca_eval", "alpaca_eval's annotations.json").path();
    p.check([](const Settings& s) {
      return s.mt_bench.empty() && s.alpaca_eval.empty() ? "name a file: mt_bench, alpaca_eval or both" : "";
    });
    return p;
  }

  ReplayJudge(const Settings& settings, plumb::Host&) {
    if (!settings.mt_bench.empty()) {
      // A later judgment of the same question and turn replaces an earlier one, as in the scores.
      for (auto& row : plumb::read_mt_bench_judgments(settings.mt_bench)) {
        ratings_[row.model + "/" + row.question_id + "/" + std::to_string(row.turn)] = row;
      }
    }
    if (!settings.alpaca_eval.empty()) {
      for (auto& row : plumb::read_alpaca_annotations(settings.alpaca_eval)) {
        annotations_[key(row.instruction, row.output_1, row.output_2)] = row.preference;
      }
    }
  }

  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    plumb::Judgement judgement;
    if (request.other) return compare(request);
    const auto found = ratings_.find(request.id);
    if (found == ratings_.end()) {
      judgement.failure = "no recorded judgment for " + request.id + " (model/question/turn)";
      return judgement;
    }
    judgement.text = found->second.judgment;
    if (found->second.score >= 0) {
      judgement.score = found->second.score;
    } else {
      judgement.failure = "the recorded judgment holds no rating";
    }
    return judgement;
  }

 private:
  static std::string key(const std::string& instruction, const std::string& one, const std::string& two) {
    return instruction + '\0' + one + '\0' + two;
  }

  // `answer` wins with 1: in the file that is output_1 with preference 1, or output_2 with preference 2.
  [[nodiscard]] plumb::Judgement compare(const plumb::JudgeRequest& request) const {
    plumb::Judgement judgement;
    const std::string& asked = request.prompt.messages.back().content;
    const auto straight = annotations_.find(key(asked, request.answer, *request.other));
    const auto swapped = annotations_.find(key(asked, *request.other, request.answer));
    const auto found = straight != annotations_.end() ? straight : swapped;
    if (found == annotations_.end()) {
      judgement.failure = "no recorded comparison for " + request.id;
    } else if (!found->second) {
      judgement.failure = "the recorded annotator failed on " + request.id;
    } else {
      const double second_wins = *found->second == 0 ? 0.5 : *found->second - 1;
      judgement.preference = straight != annotations_.end() ? 1 - second_wins : second_wins;
    }
    return judgement;
  }

  std::map<std::string, plumb::MtBenchJudgment> ratings_;  // by model/question/turn
  std::map<std::string, std::optional<double>> annotations_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.replay-judge", "1.0.0", "Apache-2.0",
             "recorded judgments of MT-Bench and AlpacaEval" PLUMB_STATUS("stable")) {
  registrar.add<ReplayJudge>("replay-judge").yields({"score", "preference", "text"});
}
