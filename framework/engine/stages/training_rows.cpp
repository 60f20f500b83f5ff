#include "framework/engine/stages/training_rows.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"

namespace plumb {
namespace {

struct Renderer {
  const Tokenizer& tokenizer;
  const ChatFormat& format;
  std::int64_t limit;
  std::string too_long, too_long_cure;  // the reason and what to do about it

  void drop_long(RowCounts& counts, const std::string& first) const { counts.drop(too_long, first, too_long_cure); }
};

Renderer renderer_of(const LanguageModel& model, const RowOptions& options) {
  if (!model.tokenizer)
    throw Error(ErrorCode::data, model.folder.string() + " holds no tokenizer; training on texts needs one");
  if (model.chat_format == nullptr) {
    throw Error(ErrorCode::data,
                model.folder.string() +
                    " names no chat format; set `chat_format` on the recipe's model, so that training, "
                    "sampling and scoring write conversations alike");
  }
  return {*model.tokenizer, *model.chat_format, row_limit(model, options), row_reason::too_long(model, options),
          row_reason::too_long_cure(model, options)};
}

std::string in_tokens(const std::string& id, std::size_t tokens) {
  return id + ": " + std::to_string(tokens) + " tokens";
}

void require_rows(const RowCounts& counts, const Artifact& data) {
  if (counts.kept > 0) return;
  throw Error(ErrorCode::data, data.folder.string() + ": none of " + std::to_string(counts.read) +
                                   " rows can be trained on: " + counts.account("data").line());
}

// One rendered row, or the message that says why there is none.
struct Outcome {
  RenderedConversation row;
  std::string message;
};

std::vector<Outcome> render_all(const std::vector<Demonstration>& demonstrations, const Renderer& renderer,
                                Host& host) {
  std::vector<Outcome> outcomes(demonstrations.size());
  host.parallel_for(demonstrations.size(), [&](std::size_t i) {
    auto rendered = renderer.format.render(renderer.tokenizer, demonstrations[i].messages);
    if (rendered) {
      outcomes[i].row = std::move(*rendered);
    } else {
      outcomes[i].message = demonstrations[i].id + ": " + rendered.error().what();
    }
  });
  return outcomes;
}

// Text between BOS and EOS, as chat formats have them: no BOS where it is the EOS, too.
RenderedConversation render_text(const Tokenizer& tokenizer, const std::string& text) {
  RenderedConversation row;
  const SpecialTokens special = tokenizer.special();
  if (special.bos && special.bos != special.eos) row.ids.push_back(*special.bos);
  const auto ids = tokenizer.encode(text);
  row.ids.insert(row.ids.end(), ids.begin(), ids.end());
  if (special.eos) row.ids.push_back(*special.eos);
  return row;
}

// Rows of texts: one message each, whoever says it.
std::vector<Outcome> render_texts(const std::vector<Demonstration>& texts, const LanguageModel& model, Host& host) {
  if (!model.tokenizer)
    throw Error(ErrorCode::data, model.folder.string() + " holds no tokenizer; training on texts needs one");
  std::vector<Outcome> outcomes(texts.size());
  host.parallel_for(texts.size(), [&](std::size_t i) {
    outcomes[i].row = render_text(*model.tokenizer, texts[i].messages.front().content);
  });
  return outcomes;
}

// Windows of at most `limit` tokens; each overlaps the one before by a token, so that every token but the first is
// learnt once.
void cut_into(TokenRows& rows, const std::vector<TokenId>& ids, const std::string& name, std::int64_t limit) {
  const auto size = static_cast<std::ptrdiff_t>(ids.size());
  for (std::ptrdiff_t begin = 0; begin == 0 || begin + 1 < size; begin += limit - 1) {
    const auto end = std::min(begin + static_cast<std::ptrdiff_t>(limit), size);
    MaskedSequence row{{ids.begin() + begin, ids.begin() + end}, {}};
    row.learn.assign(row.ids.size(), 1);
    rows.rows.push_back(std::move(row));
    rows.names.push_back(name);
  }
}

}  // namespace

std::int64_t row_limit(const LanguageModel& model, const RowOptions& options) {
  const std::int64_t context = model.shape().context;
  return context > 0 ? std::min(options.max_length, context) : options.max_length;
}

std::string row_reason::too_long(const LanguageModel& model, const RowOptions& options) {
  const std::string limit = std::to_string(row_limit(model, options));
  return row_limit(model, options) < options.max_length ? "longer than the model's context of " + limit + " tokens"
                                                        : "longer than max_length " + limit;
}

std::string row_reason::too_long_cure(const LanguageModel& model, const RowOptions& options) {
  return row_limit(model, options) < options.max_length ? "" : "raise max_length";
}

void RowCounts::note(const char* what, const std::string& reason, const std::string& first, const std::string& cure) {
  for (RowCount& known : notes_) {
    if (!known.unit.empty() || known.what != what || known.reason != reason) continue;
    ++known.count;
    return;
  }
  notes_.push_back({.what = what, .count = 1, .unit = {}, .reason = reason, .cure = cure, .first = first});
}

void RowCounts::drop(const std::string& reason, const std::string& first, const std::string& cure) {
  note("left out", reason, first, cure);
}

std::int64_t RowCounts::count(const std::string& reason) const {
  const auto found =
      std::find_if(notes_.begin(), notes_.end(), [&](const RowCount& known) { return known.reason == reason; });
  return found == notes_.end() ? 0 : found->count;
}

RowAccount RowCounts::account(const std::string& param) const {
  RowAccount out;
  for (RowCount count : notes_) {
    if (count.unit.empty()) {
      count.of = read;
      count.unit = "rows";
    }
    if (param != "data") count.unit += " of " + param;
    out.add(std::move(count));
  }
  return out;
}

void RowCounts::tell(StageContext& context, const std::string& param) const {
  const RowAccount rows = account(param);
  for (const std::string& line : rows.lines()) context.log(LogLevel::warning, line);
  context.account(rows);
  if (param == "data") context.summarise("rows", Value::map({{"read", read}, {"kept", kept}}));
}

TrainingRows<TokenRows> demonstration_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                           Host& host) {
  const Renderer renderer = renderer_of(model, options);
  const auto demonstrations = read_demonstrations(data.folder / row_file::demonstrations).value();
  TrainingRows<TokenRows> out;
  std::vector<Outcome> outcomes = render_all(demonstrations, renderer, host);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ++out.counts.read;
    Outcome& outcome = outcomes[i];
    RenderedConversation& row = outcome.row;
    if (options.learn_all) row.learn.assign(row.ids.size(), 1);
    const std::string& id = demonstrations[i].id;
    if (!outcome.message.empty()) {
      out.counts.drop(row_reason::not_rendered, outcome.message);
    } else if (static_cast<std::int64_t>(row.ids.size()) > renderer.limit) {
      renderer.drop_long(out.counts, in_tokens(id, row.ids.size()));
    } else if (row.ids.size() < 2 || std::find(row.learn.begin() + 1, row.learn.end(), 1) == row.learn.end()) {
      out.counts.drop(row_reason::nothing_to_learn, id);
    } else {
      ++out.counts.kept;
      out.rows.rows.push_back({std::move(row.ids), std::move(row.learn)});
      out.rows.names.push_back("demonstration " + id);
    }
  }
  require_rows(out.counts, data);
  return out;
}

TrainingRows<TokenRows> language_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                      Host& host) {
  const std::int64_t limit = row_limit(model, options);
  const auto rows = read_demonstrations(data.folder / row_file::demonstrations).value();
  const bool texts = data.manifest.type == artifact_type::texts;
  const std::vector<Outcome> outcomes =
      texts ? render_texts(rows, model, host) : render_all(rows, renderer_of(model, options), host);
  TrainingRows<TokenRows> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ++out.counts.read;
    const std::string& id = rows[i].id;
    const std::vector<TokenId>& ids = outcomes[i].row.ids;
    if (!outcomes[i].message.empty()) {
      out.counts.drop(row_reason::not_rendered, outcomes[i].message);
    } else if (ids.size() < 2) {
      out.counts.drop(row_reason::nothing_to_learn, in_tokens(id, ids.size()));
    } else {
      ++out.counts.kept;
      if (static_cast<std::int64_t>(ids.size()) > limit)
        out.counts.note("cut", row_reason::cut_into_rows, in_tokens(id, ids.size()));
      cut_into(out.rows, ids, (texts ? "text " : "demonstration ") + id, limit);
    }
  }
  require_rows(out.counts, data);
  return out;
}

namespace {

// Prompt and answers of one group as ids; an answer that cannot be written has a message instead.
struct RenderedGroup {
  std::vector<TokenId> prompt;
  std::string prompt_problem;
  std::vector<std::vector<TokenId>> answers;
  std::vector<std::string> problems;
};

RenderedGroup render_group(const ResponseGroup& group, const Renderer& renderer, bool use_sampled_ids) {
  RenderedGroup out;
  auto prompt = renderer.format.render_prompt(renderer.tokenizer, group.prompt.messages);
  if (!prompt) {
    out.prompt_problem = prompt.error().what();
    return out;
  }
  out.prompt = std::move(*prompt);
  if (use_sampled_ids && !group.prompt_ids.empty() && group.prompt_ids != out.prompt) {
    throw Error(ErrorCode::data, "prompt " + group.prompt.id + ": its responses were sampled after " +
                                     std::to_string(group.prompt_ids.size()) +
                                     " prompt tokens that the model to be trained writes otherwise (" +
                                     std::to_string(out.prompt.size()) + " tokens, chat format " +
                                     renderer.format.name() +
                                     "); train a model with the sampling model's tokenizer and chat format");
  }
  for (const Response& response : group.responses) {
    out.problems.emplace_back();
    if (use_sampled_ids && !response.ids.empty()) {
      out.answers.push_back(response.ids);
      continue;
    }
    auto answer = renderer.format.render_completion(renderer.tokenizer, response.text);
    if (!answer) out.problems.back() = answer.error().what();
    out.answers.push_back(answer ? std::move(*answer) : std::vector<TokenId>{});
  }
  return out;
}

// Collects pairs; equal prompts meet in one group, equal answers in one response.
class PairCollector {
 public:
  explicit PairCollector(const Renderer& renderer) : renderer_(renderer) {}

  void add(const PairSet::Item& pair, const ResponseGroup& source, const RenderedGroup& rendered,
           TrainingRows<PairRows>& out) {
    const auto c = static_cast<std::size_t>(pair.chosen), r = static_cast<std::size_t>(pair.rejected);
    const std::string& id = source.prompt.id;
    if (!rendered.prompt_problem.empty())
      return out.counts.drop(row_reason::not_rendered, id + ": " + rendered.prompt_problem);
    for (const std::size_t answer : {c, r}) {
      if (!rendered.problems[answer].empty())
        return out.counts.drop(row_reason::not_rendered, id + ": " + rendered.problems[answer]);
    }
    const std::size_t longest =
        rendered.prompt.size() + std::max(rendered.answers[c].size(), rendered.answers[r].size());
    if (static_cast<std::int64_t>(longest) > renderer_.limit)
      return renderer_.drop_long(out.counts, in_tokens(id, longest));
    if (rendered.answers[c] == rendered.answers[r]) return out.counts.drop(row_reason::identical, id);

    const auto [found, is_new] = group_of_.try_emplace(rendered.prompt, out.rows.groups.size());
    const std::size_t group = found->second;
    if (is_new) {
      out.rows.groups.push_back({rendered.prompt, {}});
      out.rows.names.push_back(id);
      response_of_.emplace_back();
    }
    const auto place = [&](const std::vector<TokenId>& answer) {
      auto& completions = out.rows.groups[group].completions;
      const auto [at, fresh] = response_of_[group].try_emplace(answer, completions.size());
      if (fresh) completions.push_back(answer);
      return at->second;
    };
    const std::size_t chosen = place(rendered.answers[c]), rejected = place(rendered.answers[r]);
    out.rows.pairs.push_back({group, chosen, rejected, pair.margin});
    ++out.counts.kept;
  }

 private:
  const Renderer& renderer_;
  std::map<std::vector<TokenId>, std::size_t> group_of_;
  std::vector<std::map<std::vector<TokenId>, std::size_t>> response_of_;
};

}  // namespace

TrainingRows<PairRows> pair_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                 Host& host) {
  const Renderer renderer = renderer_of(model, options);
  const PairSet set = read_pairs(data.folder).value();
  std::vector<RenderedGroup> rendered(set.groups.size());
  host.parallel_for(set.groups.size(), [&](std::size_t i) {
    rendered[i] = render_group(set.groups[i], renderer, options.use_sampled_ids);
  });
  TrainingRows<PairRows> out;
  PairCollector collector(renderer);
  for (const PairSet::Item& pair : set.pairs) {
    ++out.counts.read;
    collector.add(pair, set.groups[pair.group], rendered[pair.group], out);
  }
  require_rows(out.counts, data);
  return out;
}

TrainingRows<std::vector<PromptRow>> prompt_rows(const Artifact& data, const LanguageModel& model,
                                                 std::int64_t max_new_tokens, const RowOptions& options, Host& host) {
  const Renderer renderer = renderer_of(model, options);
  std::vector<Prompt> prompts = read_prompts(data.folder / row_file::prompts).value();
  std::vector<Outcome> outcomes(prompts.size());
  host.parallel_for(prompts.size(), [&](std::size_t i) {
    auto rendered = renderer.format.render_prompt(renderer.tokenizer, prompts[i].messages);
    if (rendered) {
      outcomes[i].row.ids = std::move(*rendered);
    } else {
      outcomes[i].message = prompts[i].id + ": " + rendered.error().what();
    }
  });
  TrainingRows<std::vector<PromptRow>> out;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ++out.counts.read;
    const std::size_t tokens = outcomes[i].row.ids.size();
    if (!outcomes[i].message.empty()) {
      out.counts.drop(row_reason::not_rendered, outcomes[i].message);
    } else if (static_cast<std::int64_t>(tokens) + max_new_tokens > renderer.limit) {
      renderer.drop_long(out.counts,
                         in_tokens(prompts[i].id, tokens) + " and max_new_tokens " + std::to_string(max_new_tokens));
    } else {
      ++out.counts.kept;
      out.rows.push_back({std::move(prompts[i]), std::move(outcomes[i].row.ids)});
    }
  }
  require_rows(out.counts, data);
  return out;
}

}  // namespace plumb
