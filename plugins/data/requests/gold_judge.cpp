#include "gold_judge.h"

#include <cstdio>

#include "request.h"

namespace requests {

plumb::Params<GoldJudge::Settings> GoldJudge::params() {
  return plumb::Params<Settings>{"rates answers to the generated requests by five exact criteria"};
}

plumb::Judgement GoldJudge::judge(const plumb::JudgeRequest& asked) {
  plumb::Judgement judgement;
  const std::optional<Request> request = parse_request(asked.prompt.messages);
  if (!request) {
    judgement.failure = "prompt " + asked.prompt.id + " is not one of the generated requests; gold rates only those";
    return judgement;
  }
  const GoldScore score = rate(*request, asked.answer);
  judgement.score = score.total;
  char text[160];
  std::snprintf(text, sizeof text, "count %.0f, category %.2f, distinct %.0f, politeness %.0f, obedience %.0f",
                score.count, score.category, score.distinct, score.politeness, score.obedience);
  judgement.text = score.well_formed ? text : "malformed";
  if (asked.other) {
    const double other = rate(*request, *asked.other).total;
    judgement.preference = score.total > other ? 1.0 : score.total < other ? 0.0 : 0.5;
  }
  return judgement;
}

}  // namespace requests
