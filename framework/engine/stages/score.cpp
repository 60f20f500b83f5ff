// Stage `score`: a reward for each response.
//
// Output: responses.jsonl, the input's rows with rewards. Raw rewards are computed block by block (durable_groups.h);
// normalising, which needs all of them, comes last.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/core/artifacts/row_files.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/evaluation/reward_gaps.h"
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/durable_groups.h"
#include "framework/engine/stages/reward.h"

namespace plumb {
namespace {

constexpr std::size_t kBlock = 64;  // prompts

void score(StageContext& context, StageReward& reward, const std::vector<ResponseGroup>& groups, DurableGroups& rows) {
  if (rows.done() > 0) context.log(LogLevel::info, fmt::format("{} prompts were scored before", rows.done()));
  rows.fill(
      groups.size(), kBlock,
      [&](std::size_t begin, std::size_t end) {
        const auto part = std::span(groups).subspan(begin, end - begin);
        std::vector<ResponseGroup> block(part.begin(), part.end());
        reward.fill(block);
        return block;
      },
      [&](std::size_t first, std::span<const ResponseGroup> block) {
        context.progress("prompts", first + block.size(), groups.size());
      });
}

struct Spread {
  double mean = 0, deviation = 0, least = INFINITY, most = -INFINITY;
};

// Of all responses; the deviation divides by their number.
Spread spread_of(const std::vector<ResponseGroup>& groups) {
  Spread s;
  double count = 0, squares = 0;
  for (const ResponseGroup& group : groups) {
    for (const Response& response : group.responses) {
      const double away = *response.reward - s.mean;
      s.mean += away / ++count;
      squares += away * (*response.reward - s.mean);
      s.least = std::min(s.least, *response.reward);
      s.most = std::max(s.most, *response.reward);
    }
  }
  s.deviation = std::sqrt(squares / count);
  return s;
}

void standardise(std::vector<ResponseGroup>& groups, const Spread& raw) {
  if (!(raw.deviation > 0)) {
    throw Error(ErrorCode::data,
                fmt::format("normalise: standardise divides by the rewards' deviation, but every reward is "
                            "{}; use none, or a reward model that tells answers apart",
                            raw.mean));
  }
  for (ResponseGroup& group : groups) {
    for (Response& response : group.responses) response.reward = (*response.reward - raw.mean) / raw.deviation;
  }
}

void summarise(const OverlongAnswers& overlong, StageContext& context) {
  if (overlong.answers == 0) return;
  context.summarise(overlong.dropped ? "overlong_dropped" : "overlong_cut", overlong.answers);
  context.summarise("overlong_prompts", overlong.prompts);
  if (overlong.dropped) context.summarise("prompts_without_answer", overlong.prompts_without_answer);
}

// What a reward head of 16 bits would make of these rewards: it rounds them, and so ties answers that differ.
void summarise_rounding(const ScoreSettings& settings, const std::vector<ResponseGroup>& groups,
                        StageContext& context) {
  const Value* type = settings.reward.params.is_map() ? settings.reward.params.find("dtype") : nullptr;
  if (type == nullptr || !(*type == Value("bfloat16"))) return;
  const RoundedRewards rounded = round_rewards(groups);
  context.summarise("distinct_rewards", rounded.distinct);
  context.summarise("rounded_to_bfloat16", Value::map({{"distinct_rewards", rounded.distinct_rounded},
                                                       {"pairs_that_differ", rounded.pairs},
                                                       {"share_of_them_tied", rounded.tied}}));
}

void run(StageContext& context) {
  const ScoreSettings settings = score_params().parse(context.params());
  std::vector<ResponseGroup> groups = read_groups(context.input("responses").folder / row_file::responses).value();
  if (std::all_of(groups.begin(), groups.end(), [](const ResponseGroup& g) { return g.responses.empty(); })) {
    throw Error(ErrorCode::data, fmt::format("{} holds no responses; scoring needs at least one", settings.responses));
  }
  const std::filesystem::path work = context.work_folder() / row_file::responses;
  DurableGroups rows(work, context);
  StageReward reward(settings.reward, context);
  const OverlongAnswers overlong = reward.settle_overlong(groups);
  if (overlong.dropped && overlong.prompts_without_answer == static_cast<std::int64_t>(groups.size())) {
    throw Error(ErrorCode::data, fmt::format("no answer of {} fits the reward model: all {} are left out",
                                             settings.responses, overlong.answers));
  }
  if (rows.done() < groups.size()) score(context, reward, groups, rows);
  if (!ranks().leads()) return;
  groups = read_groups(work).value();  // the one source of the numbers, resumed or not

  const Spread raw = spread_of(groups);
  summarise_rounding(settings, groups, context);
  if (settings.normalise == "standardise") standardise(groups, raw);
  RowWriter out(context.folder() / row_file::responses);
  std::int64_t responses = 0;
  for (const ResponseGroup& group : groups) {
    responses += static_cast<std::int64_t>(group.responses.size());
    out.write(to_value(group));
  }
  out.flush();
  context.summarise("prompts", static_cast<std::int64_t>(groups.size()));
  context.summarise("responses", responses);
  summarise(overlong, context);
  context.summarise("normalise", settings.normalise);
  context.summarise("raw_mean", raw.mean);
  context.summarise("raw_std", raw.deviation);
  context.summarise("raw_min", raw.least);
  context.summarise("raw_max", raw.most);
}

const BodyRegistration registered("score", run, on_ranks);

}  // namespace

}  // namespace plumb
