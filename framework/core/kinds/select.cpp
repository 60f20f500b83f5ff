// Kind `select`: scored responses in, preference pairs or demonstrations out, with the audit of every pair looked at.
//
// Output of pairs: pairs.jsonl (loads in TRL), responses.jsonl (the unique responses they use), audit.jsonl, gaps.json.
// Output of demonstrations: demonstrations.jsonl, gaps.json.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"
#include "framework/core/catalogue/declared.h"
#include "framework/core/components/make.h"
#include "framework/core/evaluation/reward_gaps.h"
#include "framework/core/kinds/select_report.h"
#include "framework/core/telemetry/text.h"
#include "plumb/selection_policy.h"

namespace plumb {
namespace {

namespace type = artifact_type;

struct SelectSettings {  // stage: select
  std::string scored;
  ComponentRef policy{"reward-gap", {}};
  std::int64_t max_pairs = 0;  // 0: all; else a seeded subsample of this size (paper's Table 6)
  bool deduplicate = true;     // one of several identical responses of a prompt
};

Declared<SelectSettings> declare_select() {
  Declared<SelectSettings> d{"turn scored answers into pairs or demonstrations", "RS-DPO, section 2.4"};
  auto& p = d.params;
  using S = SelectSettings;
  p.add(&S::scored, "scored", "answers with rewards").accepts({type::scored}).required();
  p.add(&S::policy, "policy", "which answers make a pair").component("selection-policy");
  p.add(&S::max_pairs, "max_pairs", "a random part of this size, by the run's seed; 0: all").at_least(0).unit("pairs");
  p.add(&S::deduplicate, "deduplicate", "take one of several equal answers to a prompt");
  return d;
}

// Of several identical responses to one prompt the first is kept: a pair of equal texts teaches nothing, and a repeated
// pair would count twice.
std::size_t drop_duplicates(ResponseGroup& group) {
  std::set<std::string> seen;
  const std::size_t before = group.responses.size();
  std::erase_if(group.responses, [&](const Response& response) { return !seen.insert(response.text).second; });
  return before - group.responses.size();
}

void require_rewards(const std::vector<ResponseGroup>& groups) {
  for (const ResponseGroup& group : groups) {
    for (std::size_t i = 0; i < group.responses.size(); ++i) {
      if (!group.responses[i].reward || !std::isfinite(*group.responses[i].reward)) {
        throw Error(ErrorCode::data,
                    fmt::format("prompt {}, response {}: the reward is {}; selection needs a finite number: "
                                "score the responses again",
                                group.prompt.id, i, group.responses[i].reward ? "not finite" : "missing"));
      }
    }
  }
}

void require_valid(const Selection& selection, const ResponseGroup& group, const std::string& policy) {
  const int count = static_cast<int>(group.responses.size());
  const auto valid = [&](int index) {
    return (index >= 0 && index < count) || (index == PairChoice::annotated && group.annotation);
  };
  for (const PairChoice& pair : selection.pairs) {
    const bool same = pair.chosen == pair.rejected && pair.chosen != PairChoice::annotated;
    if (!valid(pair.chosen) || !valid(pair.rejected) || same) {
      throw Error(ErrorCode::plugin,
                  fmt::format("selection policy {} chose the pair ({}, {}) of prompt {}, which has {} responses",
                              policy, pair.chosen, pair.rejected, group.prompt.id, count));
    }
  }
  for (int index : selection.demonstrations) {
    if (index < 0 || index >= count) {
      throw Error(ErrorCode::plugin,
                  fmt::format("selection policy {} chose response {} of prompt {}, which has {} responses", policy,
                              index, group.prompt.id, count));
    }
  }
}

struct ChosenPair {
  std::size_t group;
  PairChoice pair;
};

// A seeded subsample of `limit` pairs in their original order (paper, Table 6).
void limit_pairs(std::vector<ChosenPair>& pairs, std::int64_t limit, Random random) {
  if (limit <= 0 || pairs.size() <= static_cast<std::size_t>(limit)) return;
  std::vector<std::size_t> order(pairs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  random.shuffle(order);
  order.resize(static_cast<std::size_t>(limit));
  std::sort(order.begin(), order.end());
  std::vector<ChosenPair> kept;
  for (std::size_t index : order) kept.push_back(pairs[index]);
  pairs = std::move(kept);
}

const std::string& text_of(const ResponseGroup& group, int index, bool chosen) {
  if (index != PairChoice::annotated) return group.responses[static_cast<std::size_t>(index)].text;
  return chosen ? group.annotation->chosen : group.annotation->rejected;
}

std::optional<double> reward_of(const ResponseGroup& group, int index, bool chosen) {
  if (index != PairChoice::annotated) return group.responses[static_cast<std::size_t>(index)].reward;
  return chosen ? group.annotation->chosen_reward : group.annotation->rejected_reward;
}

// How long the texts of the pairs are, in bytes.
struct Lengths {
  double chosen = 0, rejected = 0;  // means
  double longer_chosen = 0;         // share of pairs whose chosen text is the longer one
};

Lengths write_pairs(const StageContext& context, const std::vector<ResponseGroup>& groups,
                    const std::vector<ChosenPair>& pairs) {
  RowWriter rows(context.folder() / row_file::pairs), responses(context.folder() / row_file::responses);
  const double share = pairs.empty() ? 0 : 1 / static_cast<double>(pairs.size());
  Lengths lengths;
  std::size_t longer = 0, last = groups.size();
  // TRL reads the column `margin` of all rows or of none.
  const bool margins = std::all_of(pairs.begin(), pairs.end(), [&](const ChosenPair& chosen) {
    const ResponseGroup& group = groups[chosen.group];
    return reward_of(group, chosen.pair.chosen, true) && reward_of(group, chosen.pair.rejected, false);
  });
  for (const auto& [index, pair] : pairs) {
    const ResponseGroup& group = groups[index];
    if (index != last) responses.write(to_value(group));
    last = index;
    Preference row{group.prompt.id,
                   group.prompt,
                   text_of(group, pair.chosen, true),
                   text_of(group, pair.rejected, false),
                   reward_of(group, pair.chosen, true),
                   reward_of(group, pair.rejected, false),
                   {}};
    if (margins) row.margin = *row.chosen_reward - *row.rejected_reward;
    lengths.chosen += share * static_cast<double>(row.chosen.size());
    lengths.rejected += share * static_cast<double>(row.rejected.size());
    longer += row.chosen.size() > row.rejected.size() ? 1 : 0;
    Value value = to_value(row);
    value.set("chosen_index", pair.chosen);
    value.set("rejected_index", pair.rejected);
    rows.write(value);
  }
  rows.flush();
  responses.flush();
  lengths.longer_chosen = pairs.empty() ? 0 : static_cast<double>(longer) / static_cast<double>(pairs.size());
  return lengths;
}

void write_demonstrations(const StageContext& context, const std::vector<ResponseGroup>& groups,
                          const std::vector<Selection>& selections) {
  RowWriter rows(context.folder() / row_file::demonstrations);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (int index : selections[i].demonstrations) {
      Demonstration row{fmt::format("{}/{}", groups[i].prompt.id, index), groups[i].prompt.messages, {}};
      row.messages.push_back({"assistant", groups[i].responses[static_cast<std::size_t>(index)].text});
      rows.write(to_value(row));
    }
  }
  rows.flush();
}

Value write_audit(const StageContext& context, const std::vector<ResponseGroup>& groups,
                  const std::vector<Selection>& selections) {
  RowWriter rows(context.folder() / "audit.jsonl");
  std::map<std::string, std::int64_t> reasons;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const PairVerdict& verdict : selections[i].audit) {
      ++reasons[verdict.reason];
      rows.write(Value::map({{"prompt_id", groups[i].prompt.id},
                             {"chosen", verdict.pair.chosen},
                             {"rejected", verdict.pair.rejected},
                             {"gap", verdict.gap},
                             {"kept", verdict.kept},
                             {"reason", verdict.reason}}));
    }
  }
  rows.flush();
  Value counts = Value::map();
  for (const auto& [reason, count] : reasons) counts.set(reason, count);
  return counts;
}

// What to try instead: the gaps there are, and what thresholds below the policy's would keep of them.
std::string nothing_kept(const std::string& policy, std::size_t prompts, std::size_t duplicates, const RewardGaps& gaps,
                         std::optional<double> threshold) {
  std::string out = fmt::format("policy {} kept nothing of {} prompts", policy, prompts);
  if (gaps.gaps.empty()) {
    return out + fmt::format(": no prompt has two different answers{}",
                             duplicates > 0 ? fmt::format(" ({} answers are repeated texts)", duplicates)
                                            : "; sample with a larger k");
  }
  if (threshold) out += fmt::format(", whose reward gaps must be above {:.4g}", *threshold);
  const auto at = [&](double share) {
    return gaps.gaps[static_cast<std::size_t>(share * static_cast<double>(gaps.gaps.size() - 1))];
  };
  out += fmt::format(". The {} pairs have gaps from {:.4g} to {:.4g}, median {:.4g}",
                     show_count(static_cast<std::int64_t>(gaps.gaps.size())), gaps.gaps.front(), gaps.gaps.back(),
                     at(0.5));
  if (gaps.gaps.back() == 0) return out + ": the reward model tells no two answers apart";
  std::string choices;
  double before = -1;
  for (const double share : {0.5, 0.75, 0.9}) {
    const double delta = at(share);
    if (delta == before || gaps.pairs_above(delta) == 0) continue;
    before = delta;
    choices += fmt::format("{}delta {:.4g} (eta {:.4g} at tau 1) keeps {}", choices.empty() ? "" : ", ", delta,
                           1 / (1 + std::exp(-delta)), show_count(static_cast<std::int64_t>(gaps.pairs_above(delta))));
  }
  return out + (choices.empty() ? "" : ". Lower the threshold: " + choices);
}

struct Used {
  std::size_t prompts, prompts_used, responses, duplicates, pairs, pairs_kept;
};

void account(StageContext& context, const Used& used) {
  const auto number = [](std::size_t count) { return static_cast<std::int64_t>(count); };
  RowAccount account;
  account.add({.count = number(used.prompts - used.prompts_used),
               .of = number(used.prompts),
               .unit = "prompts",
               .reason = "the policy chose nothing of their answers"});
  account.add({.what = "merged",
               .count = number(used.duplicates),
               .of = number(used.responses),
               .unit = "answers",
               .reason = "the same text as another answer to the prompt",
               .cure = "deduplicate: false keeps them"});
  account.add({.count = number(used.pairs - used.pairs_kept),
               .of = number(used.pairs),
               .unit = "pairs",
               .reason = fmt::format("max_pairs {}", used.pairs_kept)});
  context.account(account);
}

void run(StageContext& context) {
  const SelectSettings settings = declare_select().with_rules().parse(context.params());
  std::vector<ResponseGroup> groups = read_groups(context.input("scored").folder / row_file::responses).value();
  require_rewards(groups);
  std::size_t duplicates = 0, responses = 0;
  for (const ResponseGroup& group : groups) responses += group.responses.size();
  if (settings.deduplicate) {
    for (ResponseGroup& group : groups) duplicates += drop_duplicates(group);
  }

  const auto policy = make<SelectionPolicy>(context, settings.policy);
  const Random random = context.random().derive("select");
  std::vector<Selection> selections(groups.size());
  context.parallel_for(groups.size(), [&](std::size_t i) {
    selections[i] = policy.call(&SelectionPolicy::select, groups[i], random.derive(groups[i].prompt.id));
    require_valid(selections[i], groups[i], settings.policy.name);
  });

  std::vector<ChosenPair> pairs;
  std::size_t demonstrations = 0, prompts_used = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const PairChoice& pair : selections[i].pairs) pairs.push_back({i, pair});
    demonstrations += selections[i].demonstrations.size();
    prompts_used += selections[i].pairs.empty() && selections[i].demonstrations.empty() ? 0 : 1;
  }
  const std::size_t before_limit = pairs.size();
  limit_pairs(pairs, settings.max_pairs, context.random().derive("max_pairs"));
  const RewardGaps gaps = measure_reward_gaps(groups);
  const std::optional<double> threshold = policy.call(&SelectionPolicy::threshold);
  if (pairs.empty() && demonstrations == 0) {
    throw Error(ErrorCode::data, nothing_kept(settings.policy.name, groups.size(), duplicates, gaps, threshold));
  }

  const Value* tau = settings.policy.params.is_map() ? settings.policy.params.find("tau") : nullptr;
  const Value described = tau != nullptr && (tau->type() == Value::Type::real || tau->type() == Value::Type::integer)
                              ? to_value(gaps, threshold, tau->as_double())
                              : to_value(gaps, threshold);
  write_file(context.folder() / "gaps.json", to_json(described, false, 1)).value();
  context.summarise("prompts", static_cast<std::int64_t>(groups.size()));
  context.summarise("prompts_used", static_cast<std::int64_t>(prompts_used));
  context.summarise("duplicate_responses", static_cast<std::int64_t>(duplicates));
  if (demonstrations > 0) {
    write_demonstrations(context, groups, selections);
    context.summarise("demonstrations", static_cast<std::int64_t>(demonstrations));
  } else {
    context.summarise("pairs", static_cast<std::int64_t>(pairs.size()));
    if (pairs.size() < before_limit) context.summarise("pairs_before_limit", static_cast<std::int64_t>(before_limit));
    const Lengths lengths = write_pairs(context, groups, pairs);
    context.summarise("longer_chosen_fraction", lengths.longer_chosen);
    context.summarise("chosen_length", lengths.chosen);
    context.summarise("rejected_length", lengths.rejected);
    context.summarise("reasons", write_audit(context, groups, selections));
  }
  account(context, {groups.size(), prompts_used, responses, duplicates, before_limit, pairs.size()});
  if (threshold) context.summarise("delta", *threshold);
  // A threshold means something only together with the scale of the rewards; a report shows pairs, not rewards.
  const Value& scored = context.input("scored").manifest.summary;
  for (const char* key : {"normalise", "overlong_dropped", "overlong_cut"}) {
    if (const Value* value = scored.is_map() ? scored.find(key) : nullptr) context.summarise(key, *value);
  }
  context.summarise("gap_mean", gaps.mean);
  context.summarise("gap_deviation", gaps.deviation);
  context.summarise("tied_pairs", static_cast<std::int64_t>(gaps.gaps.size() - gaps.pairs_above(0)));
  if (const auto correlation = reward_length_correlation(groups)) {
    context.summarise("reward_length_correlation", *correlation);
  }
}

StageKind make_kind() {
  StageKind kind = declare_select().kind("select", "*", "policy");
  kind.report = {.section = add_selection, .by_row = add_selections, .choices = selection_choices};
  kind.body = run;
  return kind;
}

const KindRegistration registered(100, make_kind);

}  // namespace

}  // namespace plumb
