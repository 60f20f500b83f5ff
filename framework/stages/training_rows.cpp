#include "framework/stages/training_rows.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "framework/artifacts/records_file.h"

namespace plumb {
namespace {

constexpr const char* kTooLong = "too_long";
constexpr const char* kNothingToLearn = "nothing_to_learn";
constexpr const char* kNotRendered = "not_rendered";
constexpr const char* kIdentical = "identical_answers";

struct Renderer {
  const Tokenizer& tokenizer;
  const ChatFormat& format;
  std::int64_t limit;
};

std::int64_t limit_of(const LanguageModel& model, const RowOptions& options) {
  const std::int64_t context = model.model->shape().context;
  return context > 0 ? std::min(options.max_length, context) : options.max_length;
}

Renderer renderer_of(const LanguageModel& model, const RowOptions& options) {
  if (!model.tokenizer)
    throw Error(ErrorCode::data, model.folder.string() + " holds no tokenizer; training on texts needs one");
  if (model.chat_format == nullptr) {
    throw Error(ErrorCode::data,
                model.folder.string() +
                    " names no chat format; set `chat_format` on the recipe's model, so that training, "
                    "sampling and scoring write conversations alike");
  }
  return {*model.tokenizer, *model.chat_format, limit_of(model, options)};
}

std::string too_long(std::size_t tokens, std::int64_t limit) {
  return std::to_string(tokens) + " tokens, " + std::to_string(limit) + " allowed";
}

void require_rows(const RowCounts& counts, const Artifact& data) {
  if (counts.kept > 0) return;
  std::string reasons;
  for (const auto& [reason, count] : counts.dropped) {
    reasons += "; " + std::to_string(count) + " " + reason + " (" + counts.examples.at(reason) + ")";
  }
  throw Error(ErrorCode::data,
              data.folder.string() + ": none of " + std::to_string(counts.read) + " rows can be trained on" + reasons);
}

void tell(const RowCounts& counts, Host& host) {
  for (const auto& [reason, count] : counts.dropped) {
    host.log(LogLevel::warning, std::to_string(count) + " of " + std::to_string(counts.read) +
                                    " rows are left out: " + reason + ", first " + counts.examples.at(reason));
  }
}

// One rendered row, or why there is none.
struct Outcome {
  RenderedConversation row;
  std::string reason, message;
};

std::vector<Outcome> render_all(const std::vector<Demonstration>& demonstrations, const Renderer& renderer,
                                Host& host) {
  std::vector<Outcome> outcomes(demonstrations.size());
  host.parallel_for(demonstrations.size(), [&](std::size_t i) {
    auto rendered = renderer.format.render(renderer.tokenizer, demonstrations[i].messages);
    if (rendered) {
      outcomes[i].row = std::move(*rendered);
    } else {
      outcomes[i].reason = kNotRendered;
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

std::vector<std::pair<std::string, std::string>> read_texts(const std::filesystem::path& file) {
  std::vector<std::pair<std::string, std::string>> texts;
  for_each_row(file, [&](const Value& row, const std::string& where) -> Result<void> {
    const Value* text = row.find("text");
    if (text == nullptr || !text->is_string())
      return Error(ErrorCode::data, where + ": a row of texts needs a string `text`");
    texts.emplace_back("row " + std::to_string(texts.size() + 1), text->as_string());
    return {};
  }).value();
  return texts;
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

void RowCounts::drop(const std::string& reason, const std::string& message) {
  if (dropped[reason]++ == 0) examples[reason] = message;
}

Value RowCounts::to_value() const {
  Value value = Value::map({{"read", read}, {"kept", kept}});
  if (dropped.empty()) return value;
  Value reasons = Value::map();
  for (const auto& [reason, count] : dropped) reasons.set(reason, count);
  value.set("dropped", std::move(reasons));
  return value;
}

TrainingRows<TokenRows> demonstration_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                           Host& host) {
  const Renderer renderer = renderer_of(model, options);
  const auto demonstrations = read_demonstrations(data.folder / "demonstrations.jsonl").value();
  TrainingRows<TokenRows> out;
  std::vector<Outcome> outcomes = render_all(demonstrations, renderer, host);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ++out.counts.read;
    Outcome& outcome = outcomes[i];
    RenderedConversation& row = outcome.row;
    if (options.learn_all) row.learn.assign(row.ids.size(), 1);
    const std::string& id = demonstrations[i].id;
    if (!outcome.reason.empty()) {
      out.counts.drop(outcome.reason, outcome.message);
    } else if (static_cast<std::int64_t>(row.ids.size()) > renderer.limit) {
      out.counts.drop(kTooLong, id + ": " + too_long(row.ids.size(), renderer.limit));
    } else if (row.ids.size() < 2 || std::find(row.learn.begin() + 1, row.learn.end(), 1) == row.learn.end()) {
      out.counts.drop(kNothingToLearn, id + ": no token of it carries loss");
    } else {
      ++out.counts.kept;
      out.rows.rows.push_back({std::move(row.ids), std::move(row.learn)});
      out.rows.names.push_back("demonstration " + id);
    }
  }
  tell(out.counts, host);
  require_rows(out.counts, data);
  return out;
}

TrainingRows<TokenRows> language_rows(const Artifact& data, const LanguageModel& model, const RowOptions& options,
                                      Host& host) {
  const std::int64_t limit = limit_of(model, options);
  TrainingRows<TokenRows> out;
  const auto add = [&](const std::string& name, const std::vector<TokenId>& ids) {
    ++out.counts.read;
    if (ids.size() < 2) return out.counts.drop(kNothingToLearn, name + ": fewer than two tokens");
    ++out.counts.kept;
    cut_into(out.rows, ids, name, limit);
  };
  if (!std::filesystem::exists(data.folder / "texts.jsonl")) {
    const Renderer renderer = renderer_of(model, options);
    const auto demonstrations = read_demonstrations(data.folder / "demonstrations.jsonl").value();
    const auto outcomes = render_all(demonstrations, renderer, host);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].reason.empty()) {
        add("demonstration " + demonstrations[i].id, outcomes[i].row.ids);
      } else {
        ++out.counts.read;
        out.counts.drop(outcomes[i].reason, outcomes[i].message);
      }
    }
  } else {
    if (!model.tokenizer)
      throw Error(ErrorCode::data, model.folder.string() + " holds no tokenizer; training on texts needs one");
    const auto texts = read_texts(data.folder / "texts.jsonl");
    std::vector<RenderedConversation> rendered(texts.size());
    host.parallel_for(texts.size(),
                      [&](std::size_t i) { rendered[i] = render_text(*model.tokenizer, texts[i].second); });
    for (std::size_t i = 0; i < texts.size(); ++i) add(texts[i].first, rendered[i].ids);
  }
  tell(out.counts, host);
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
  explicit PairCollector(std::int64_t limit) : limit_(limit) {}

  void add(const PairSet::Item& pair, const ResponseGroup& source, const RenderedGroup& rendered,
           TrainingRows<PairRows>& out) {
    const auto c = static_cast<std::size_t>(pair.chosen), r = static_cast<std::size_t>(pair.rejected);
    const std::string& id = source.prompt.id;
    if (!rendered.prompt_problem.empty()) return out.counts.drop(kNotRendered, id + ": " + rendered.prompt_problem);
    for (const std::size_t answer : {c, r}) {
      if (!rendered.problems[answer].empty())
        return out.counts.drop(kNotRendered, id + ": " + rendered.problems[answer]);
    }
    const std::size_t longest =
        rendered.prompt.size() + std::max(rendered.answers[c].size(), rendered.answers[r].size());
    if (static_cast<std::int64_t>(longest) > limit_)
      return out.counts.drop(kTooLong, id + ": " + too_long(longest, limit_));
    if (rendered.answers[c] == rendered.answers[r])
      return out.counts.drop(kIdentical, id + ": chosen and rejected are the same");

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
  std::int64_t limit_;
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
  PairCollector collector(renderer.limit);
  for (const PairSet::Item& pair : set.pairs) {
    ++out.counts.read;
    collector.add(pair, set.groups[pair.group], rendered[pair.group], out);
  }
  tell(out.counts, host);
  require_rows(out.counts, data);
  return out;
}

TrainingRows<std::vector<PromptRow>> prompt_rows(const Artifact& data, const LanguageModel& model,
                                                 std::int64_t max_new_tokens, const RowOptions& options, Host& host) {
  const Renderer renderer = renderer_of(model, options);
  std::vector<Prompt> prompts = read_prompts(data.folder / "prompts.jsonl").value();
  std::vector<Outcome> outcomes(prompts.size());
  host.parallel_for(prompts.size(), [&](std::size_t i) {
    auto rendered = renderer.format.render_prompt(renderer.tokenizer, prompts[i].messages);
    if (rendered) {
      outcomes[i].row.ids = std::move(*rendered);
    } else {
      outcomes[i].reason = kNotRendered;
      outcomes[i].message = prompts[i].id + ": " + rendered.error().what();
    }
  });
  TrainingRows<std::vector<PromptRow>> out;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ++out.counts.read;
    const std::size_t tokens = outcomes[i].row.ids.size();
    if (!outcomes[i].reason.empty()) {
      out.counts.drop(outcomes[i].reason, outcomes[i].message);
    } else if (static_cast<std::int64_t>(tokens) + max_new_tokens > renderer.limit) {
      out.counts.drop(kTooLong, prompts[i].id + ": with max_new_tokens " +
                                    too_long(tokens + static_cast<std::size_t>(max_new_tokens), renderer.limit));
    } else {
      ++out.counts.kept;
      out.rows.push_back({std::move(prompts[i]), std::move(outcomes[i].row.ids)});
    }
  }
  tell(out.counts, host);
  require_rows(out.counts, data);
  return out;
}

}  // namespace plumb
