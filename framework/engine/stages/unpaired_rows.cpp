#include "framework/engine/stages/unpaired_rows.h"

#include <algorithm>
#include <map>
#include <set>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"

namespace plumb {
namespace {

constexpr int kDraws = 64;  // of another prompt's answer that fits

struct Labelled {
  std::size_t group, completion;
  bool desirable;
  auto operator<=>(const Labelled&) const = default;
};

struct Answers {
  std::vector<SequenceGroup> groups;
  std::vector<std::string> names;
  std::vector<Labelled> labels;
  RowCounts counts;
};

Answers of_pairs(const Artifact& data, const LanguageModel& model, const RowOptions& options, Host& host) {
  auto read = pair_rows(data, model, options, host);
  Answers out{std::move(read.rows.groups), std::move(read.rows.names), {}, std::move(read.counts)};
  std::set<Labelled> seen;
  const auto answers = static_cast<std::int64_t>(2 * read.rows.pairs.size());
  for (const PairRows::Pair& pair : read.rows.pairs) {
    for (const Labelled& label :
         {Labelled{pair.group, pair.chosen, true}, Labelled{pair.group, pair.rejected, false}}) {
      if (seen.insert(label).second) out.labels.push_back(label);
    }
  }
  out.counts.add({.what = "merged",
                  .count = answers - static_cast<std::int64_t>(out.labels.size()),
                  .of = answers,
                  .unit = "answers",
                  .reason = "an answer of several pairs is learnt once with each label"});
  return out;
}

double mean_reward(const std::vector<ResponseGroup>& groups, const std::filesystem::path& folder) {
  double sum = 0;
  std::int64_t count = 0;
  for (const ResponseGroup& group : groups) {
    for (const Response& response : group.responses) {
      if (!response.reward) {
        throw Error(ErrorCode::data, folder.string() + ": prompt " + group.prompt.id +
                                         " has an answer without a reward; score the answers again");
      }
      sum += *response.reward;
      ++count;
    }
  }
  if (count == 0) throw Error(ErrorCode::data, folder.string() + " holds no scored answers");
  return sum / static_cast<double>(count);
}

// The prompt's ids as this model writes them.
Result<std::vector<TokenId>> prompt_ids(const ResponseGroup& group, const LanguageModel& model) {
  auto ids = model.chat_format->render_prompt(*model.tokenizer, group.prompt.messages);
  if (ids && !group.prompt_ids.empty() && *ids != group.prompt_ids) {
    throw Error(ErrorCode::data,
                "prompt " + group.prompt.id +
                    ": its answers were sampled after a prompt that the model to be trained writes otherwise; train a "
                    "model with the sampling model's tokenizer and chat format");
  }
  return ids;
}

Answers of_scored(const Artifact& data, const LanguageModel& model, std::optional<double> above,
                  const RowOptions& options) {
  if (model.tokenizer == nullptr || model.chat_format == nullptr) {
    throw Error(ErrorCode::data,
                model.folder.string() + " has no tokenizer or names no chat format; training needs both");
  }
  const auto groups = read_groups(data.folder / row_file::responses).value();
  const double mean = mean_reward(groups, data.folder), threshold = above.value_or(mean);
  const auto limit = static_cast<std::size_t>(row_limit(model, options));
  Answers out;
  for (const ResponseGroup& group : groups) {
    auto prompt = prompt_ids(group, model);
    SequenceGroup sequences{prompt ? *prompt : std::vector<TokenId>{}, {}};
    std::map<std::vector<TokenId>, std::size_t> known;
    for (const Response& response : group.responses) {
      ++out.counts.read;
      auto ids = response.ids.empty() ? model.chat_format->render_completion(*model.tokenizer, response.text)
                                      : Result<std::vector<TokenId>>(response.ids);
      if (!prompt || !ids) {
        out.counts.drop(row_reason::not_rendered,
                        group.prompt.id + ": " + (!prompt ? prompt.error().what() : ids.error().what()));
        continue;
      }
      if (prompt->size() + ids->size() > limit) {
        out.counts.drop(row_reason::too_long(model, options),
                        group.prompt.id + ": " + std::to_string(prompt->size() + ids->size()) + " tokens",
                        row_reason::too_long_cure(model, options));
        continue;
      }
      const auto [place, fresh] = known.try_emplace(*ids, sequences.completions.size());
      if (!fresh) {
        out.counts.drop(row_reason::repeated, group.prompt.id);
        continue;
      }
      sequences.completions.push_back(std::move(*ids));
      out.labels.push_back({out.groups.size(), place->second, *response.reward > threshold});
      ++out.counts.kept;
    }
    out.groups.push_back(std::move(sequences));
    out.names.push_back(group.prompt.id);
  }
  return out;
}

// Another prompt's answer for example `i`, cut to what fits beside its prompt; `cut` counts those.
std::vector<TokenId> other_answer(const Answers& answers, std::size_t i, std::size_t limit, Random random,
                                  std::int64_t& cut) {
  const SequenceGroup& own = answers.groups[answers.labels[i].group];
  const std::size_t room = limit - own.prompt.size();
  std::vector<TokenId> drawn;
  for (int draw = 0; draw < kDraws || drawn.empty(); ++draw) {
    const Labelled& other = answers.labels[random.below(answers.labels.size())];
    if (other.group == answers.labels[i].group) continue;
    drawn = answers.groups[other.group].completions[other.completion];
    if (drawn.size() <= room) return drawn;
  }
  ++cut;
  drawn.resize(room);
  return drawn;
}

}  // namespace

TrainingRows<UnpairedRows> unpaired_rows(const Artifact& data, const LanguageModel& model, std::optional<double> above,
                                         const RowOptions& options, Random random, Host& host) {
  Answers answers = data.manifest.type == artifact_type::scored ? of_scored(data, model, above, options)
                                                                : of_pairs(data, model, options, host);
  const auto elsewhere = [&](const Labelled& label) { return label.group != answers.labels.front().group; };
  if (std::none_of(answers.labels.begin(), answers.labels.end(), elsewhere)) {
    throw Error(ErrorCode::data, data.folder.string() +
                                     ": learning from single answers needs answers to two prompts or "
                                     "more; the data have fewer" +
                                     (answers.counts.account("data").empty() ? "" : "; ") +
                                     answers.counts.account("data").line());
  }
  TrainingRows<UnpairedRows> out;
  out.counts = std::move(answers.counts);
  std::int64_t cut = 0;
  const auto limit = static_cast<std::size_t>(row_limit(model, options));
  std::vector<std::vector<TokenId>> others;
  for (std::size_t i = 0; i < answers.labels.size(); ++i) {
    others.push_back(other_answer(answers, i, limit, random.derive(static_cast<std::uint64_t>(i)), cut));
  }
  out.counts.add({.what = "cut",
                  .count = cut,
                  .of = static_cast<std::int64_t>(answers.labels.size()),
                  .unit = "mismatched answers",
                  .reason = row_reason::too_long(model, options)});
  for (std::size_t i = 0; i < answers.labels.size(); ++i) {
    const Labelled& label = answers.labels[i];
    auto& completions = answers.groups[label.group].completions;
    completions.push_back(std::move(others[i]));
    out.rows.rows.pairs.push_back({label.group, label.completion, completions.size() - 1, 0.0});
    out.rows.desirable.push_back(label.desirable ? 1 : 0);
  }
  out.rows.rows.groups = std::move(answers.groups);
  out.rows.rows.names = std::move(answers.names);
  return out;
}

}  // namespace plumb
