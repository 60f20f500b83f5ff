#include "framework/core/evaluation/answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/cancelled.h"
#include "framework/core/artifacts/checked_rows.h"
#include "framework/core/artifacts/records_file.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t groups_at_once = 64;  // scored between two looks at the host

// Lists by position in a JSONL file. What an interrupted attempt wrote is there from the start.
class KeptLists {
 public:
  KeptLists(const fs::path& file, std::size_t count, Host& host) : rows_(make_folder(file)), lists_(count) {
    if (!rows_.damage().empty()) host.log(LogLevel::warning, rows_.damage());
    for_each_row(file, [&](const Value& row, const std::string& where) -> Result<void> {
      const auto position = static_cast<std::size_t>(row.at("position").as_int());
      if (position >= lists_.size()) {
        return Error(ErrorCode::data, fmt::format("{}: position {} of {}; delete this file and run again", where,
                                                  position, lists_.size()));
      }
      const Value* cut = row.find("cut");
      put(position, row.at("values").as_list(), cut == nullptr ? 0 : cut->as_int());
      return {};
    }).value();
  }

  [[nodiscard]] std::vector<std::size_t> missing() const {
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      if (!lists_[i]) positions.push_back(i);
    }
    return positions;
  }
  [[nodiscard]] std::size_t done() const { return done_; }

  // `cut`: how many of the values are answers that reached their limit.
  void keep(std::size_t position, Value::List values, std::int64_t cut = 0) {
    Value row = Value::map({{"position", static_cast<std::int64_t>(position)}, {"values", values}});
    if (cut > 0) row.set("cut", cut);
    rows_.write(row);
    rows_.end_block(false);
    put(position, std::move(values), cut);
  }
  [[nodiscard]] std::int64_t cut() const { return cut_; }

  // All values in the order of the positions.
  [[nodiscard]] Value::List joined() const {
    Value::List all;
    for (const auto& list : lists_) all.insert(all.end(), list->begin(), list->end());
    return all;
  }

 private:
  static const fs::path& make_folder(const fs::path& file) {
    fs::create_directories(file.parent_path());
    return file;
  }
  void put(std::size_t position, Value::List values, std::int64_t cut) {
    if (!lists_[position]) cut_ += cut;
    done_ += lists_[position] ? 0U : 1U;
    lists_[position] = std::move(values);
  }

  CheckedRows rows_;
  std::vector<std::optional<Value::List>> lists_;
  std::size_t done_ = 0;
  std::int64_t cut_ = 0;
};

Value describe(const AnswerOptions& options) {
  return Value::map({{"samples", options.samples},
                     {"max_new_tokens", options.max_new_tokens},
                     {"temperature", options.temperature},
                     {"top_k", options.top_k},
                     {"top_p", options.top_p}});
}

std::string name_of(const Value& question) {
  return sha256_of(to_json(question, true)).substr(0, 32) + ".jsonl";
}

std::vector<ResponseGroup> group_by_prompt(std::span<const Prompt> prompts, std::span<const std::string> answers) {
  std::vector<ResponseGroup> groups;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (groups.empty() || groups.back().prompt.id != prompts[i].id ||
        groups.back().prompt.messages != prompts[i].messages) {
      groups.push_back({prompts[i], {}, {}, {}});
    }
    Response response;
    response.text = answers[i];
    groups.back().responses.push_back(std::move(response));
  }
  return groups;
}

}  // namespace

Answers::Answers(AnswerSources sources, LanguageModels& models, Judge* judge, Host& host)
    : sources_(std::move(sources)), language_models_(models), judge_(judge), host_(host) {
  for (const EvaluatedModel& model : sources_.models) names_.push_back(model.name);
  if (!sources_.baseline.empty() && std::find(names_.begin(), names_.end(), sources_.baseline) == names_.end()) {
    throw Error(ErrorCode::recipe, fmt::format("baseline `{}` is none of the models evaluated ({}): add it to `models`",
                                               sources_.baseline, fmt::join(names_, ", ")));
  }
}

Answers::~Answers() = default;

void Answers::rethrow_own_failure() const {
  if (failure_) std::rethrow_exception(failure_);
}

RowAccount Answers::account() const {
  std::map<std::string, RowCount> by_model;  // the turns of a conversation together
  for (const auto& [question, cut] : cut_) {
    const auto [known, fresh] = by_model.try_emplace(cut.unit + cut.reason, cut);
    if (fresh) continue;
    known->second.count += cut.count;
    known->second.of += cut.of;
  }
  RowAccount account;
  for (auto& [model, cut] : by_model) account.add(std::move(cut));
  return account;
}

template <class F>
auto Answers::noting_failure(F&& call) {
  try {
    failure_ = nullptr;
    return call();
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
}

std::vector<std::string> Answers::answer(const std::string& model, std::span<const Prompt> prompts,
                                         const AnswerOptions& options) {
  return noting_failure([&] {
    const auto asked = std::find_if(sources_.models.begin(), sources_.models.end(),
                                    [&](const EvaluatedModel& known) { return known.name == model; });
    if (asked == sources_.models.end()) {
      throw Error(ErrorCode::plugin, fmt::format("an evaluator asks for model `{}`; the stage evaluates {}", model,
                                                 fmt::join(names_, ", ")));
    }
    if (options.samples < 1) throw Error(ErrorCode::plugin, "an evaluator asks for fewer than one answer per prompt");
    temperatures_.insert(options.temperature);
    return ask(*asked, prompts, options);
  });
}

std::vector<std::string> Answers::ask(const EvaluatedModel& model, std::span<const Prompt> prompts,
                                      const AnswerOptions& options) {
  Value::List questions;
  for (const Prompt& prompt : prompts) questions.push_back(to_value(prompt));
  const Value question = Value::map({{"model", model.key},
                                     {"seed", std::to_string(sources_.seed)},
                                     {"options", describe(options)},
                                     {"prompts", std::move(questions)}});
  KeptLists kept(sources_.cache / "answers" / name_of(question), prompts.size(), host_);

  const std::vector<std::size_t> missing = kept.missing();
  if (!missing.empty()) {
    std::vector<Prompt> wanted;
    for (const std::size_t position : missing) wanted.push_back(prompts[position]);
    Sampling sampling{options.samples, options.max_new_tokens, options.temperature,
                      options.top_k,   options.top_p,          sources_.seed};
    if (policy_ == nullptr || open_key_ != model.key) {
      policy_.reset();
      policy_ =
          language_models_.open_policy(model.folder.string(), {.placement = sources_.placement, .rows = sources_.rows});
      open_key_ = model.key;
    }
    policy_->generate(wanted, sampling, [&](std::size_t i, ResponseGroup&& group) {
      if (group.responses.size() != static_cast<std::size_t>(options.samples)) {
        throw Error(ErrorCode::run_failed,
                    fmt::format("model {} gave {} answers to prompt {}; {} were asked for", model.name,
                                group.responses.size(), wanted[i].id, options.samples));
      }
      Value::List texts;
      std::int64_t cut = 0;
      for (Response& response : group.responses) {
        cut += response.finish == FinishReason::length ? 1 : 0;
        texts.emplace_back(std::move(response.text));
      }
      kept.keep(missing[i], std::move(texts), cut);
      host_.progress("answers of " + model.name, kept.done(), prompts.size());
    });
    if (kept.done() < prompts.size()) {
      if (host_.cancelled()) throw Cancelled{};
      throw Error(ErrorCode::run_failed,
                  fmt::format("model {} answered {} of {} prompts", model.name, kept.done(), prompts.size()));
    }
  }
  cut_[name_of(question)] = {.what = "truncated",
                             .count = kept.cut(),
                             .of = static_cast<std::int64_t>(prompts.size()) * options.samples,
                             .unit = "answers of " + model.name,
                             .reason = fmt::format("no end within max_new_tokens {}", options.max_new_tokens),
                             .cure = "raise max_new_tokens"};
  std::vector<std::string> answers;
  for (const Value& text : kept.joined()) answers.push_back(text.as_string());
  return answers;
}

std::vector<double> Answers::reward(std::span<const Prompt> prompts, std::span<const std::string> answers) {
  return noting_failure([&] {
    if (!sources_.reward_model) {
      throw Error(ErrorCode::recipe, "an evaluator asks for rewards: give the evaluate stage `reward_model:`");
    }
    if (prompts.size() != answers.size()) {
      throw Error(ErrorCode::plugin, fmt::format("an evaluator asks for the rewards of {} answers to {} prompts",
                                                 answers.size(), prompts.size()));
    }
    return score(*sources_.reward_model, prompts, answers);
  });
}

void Answers::look_at_lengths(RewardHandle& reward_model, std::span<const ResponseGroup> groups) {
  const auto excess = reward_model.excess(groups);
  std::int64_t answers = 0;
  std::string first;
  for (std::size_t i = 0; i < excess.size(); ++i) {
    for (const std::int64_t tokens : excess[i]) {
      if (tokens == 0) continue;
      ++answers;
      if (first.empty()) first = fmt::format("prompt {} by {} tokens", groups[i].prompt.id, tokens);
    }
  }
  if (answers == 0) return;
  const std::string found =
      fmt::format("{} answers are longer with their prompts than the reward model reads, first {}", answers, first);
  if (!sources_.truncate_left) {
    throw Error(ErrorCode::data, found +
                                     "; have the end of each read with the stage's `overlong: truncate-left`, or "
                                     "make prompts or max_new_tokens shorter");
  }
  overlong_cut_ += answers;
  host_.log(LogLevel::warning, found + "; the end of each is read");
}

std::vector<double> Answers::score(const EvaluatedModel& model, std::span<const Prompt> prompts,
                                   std::span<const std::string> answers) {
  const std::vector<ResponseGroup> groups = group_by_prompt(prompts, answers);
  Value::List questions;
  for (const ResponseGroup& group : groups) questions.push_back(to_value(group));
  KeptLists kept(
      sources_.cache / "rewards" / name_of(Value::map({{"model", model.key}, {"groups", std::move(questions)}})),
      groups.size(), host_);

  const std::vector<std::size_t> missing = kept.missing();
  std::unique_ptr<RewardHandle> head;
  if (!missing.empty() || sources_.truncate_left) {
    policy_.reset();
    head = language_models_.open_reward(model.folder.string(),
                                        {.placement = sources_.placement, .truncate_left = sources_.truncate_left});
    look_at_lengths(*head, groups);
  }
  for (std::size_t start = 0; start < missing.size(); start += groups_at_once) {
    if (host_.cancelled()) throw Cancelled{};
    std::vector<ResponseGroup> block;
    for (std::size_t i = start; i < std::min(start + groups_at_once, missing.size()); ++i) {
      block.push_back(groups[missing[i]]);
    }
    const std::vector<std::vector<double>> rewards = head->score(block);
    for (std::size_t i = 0; i < block.size(); ++i) {
      kept.keep(missing[start + i], Value::List(rewards[i].begin(), rewards[i].end()));
    }
    host_.progress("rewards by " + model.name, kept.done(), groups.size());
  }
  std::vector<double> values;
  for (const Value& value : kept.joined()) values.push_back(value.as_double());
  return values;
}

}  // namespace plumb
