// Stage `sample`: k responses to each prompt.
//
// Output: responses.jsonl in the order of the prompts. Done block by block (durable_groups.h), and prompt by prompt where
// a server draws (served_sampling.h).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "framework/core/artifacts/prompts.h"
#include "framework/core/artifacts/row_files.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/components/make.h"
#include "framework/core/kinds/optimizer_rules.h"
#include "framework/core/registry/registry.h"
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/durable_groups.h"
#include "framework/engine/stages/served_sampling.h"
#include "plumb/generator.h"

namespace plumb {
namespace {

// What to answer, with the dataset's own preference where it has one.
struct Task {
  Prompt prompt;
  std::optional<Preference> annotation;
};

std::vector<Task> read_tasks(const Artifact& artifact) {
  std::vector<Task> tasks;
  const std::string& type = artifact.manifest.type;
  if (type == artifact_type::preferences) {
    for (Preference& row : read_preferences(artifact.folder / row_file::preferences).value()) {
      Prompt prompt = row.prompt;
      tasks.push_back({std::move(prompt), std::move(row)});
    }
  } else if (type == artifact_type::demonstrations) {
    for (const Demonstration& row : read_demonstrations(artifact.folder / row_file::demonstrations).value()) {
      std::optional<Prompt> asked = asked_prompt(row);
      if (!asked) {
        throw Error(ErrorCode::data, fmt::format("demonstration {} of {} has no message of the user, so no prompt",
                                                 row.id, artifact.folder.string()));
      }
      tasks.push_back({std::move(*asked), std::nullopt});
    }
  } else {
    for (Prompt& row : read_prompts(artifact.folder / row_file::prompts).value()) {
      std::optional<Preference> annotation = take_annotation(row);
      tasks.push_back({std::move(row), std::move(annotation)});
    }
  }
  return tasks;
}

// A prompt's id keys its draws, so a second row of the same id would repeat the first one's responses.
RowAccount drop_repeated(std::vector<Task>& tasks) {
  std::set<std::string> seen;
  const std::size_t before = tasks.size();
  const bool annotated =
      std::any_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.annotation.has_value(); });
  std::erase_if(tasks, [&](const Task& task) { return !seen.insert(task.prompt.id).second; });
  RowAccount account;
  account.add({.what = "merged",
               .count = static_cast<std::int64_t>(before - tasks.size()),
               .of = static_cast<std::int64_t>(before),
               .reason = annotated ? "the same prompt came before; of its preferences the first is kept as annotation"
                                   : "the same prompt came before",
               .cure = "a dataset with count_by: prompts counts each prompt once"});
  return account;
}

// Prompts per block: enough responses to keep the rows busy, few enough that an interruption repeats little.
std::size_t block_size(const SampleSettings& settings) {
  const std::int64_t responses = std::clamp<std::int64_t>(524288 / settings.max_new_tokens, 256, 4096);
  return static_cast<std::size_t>(std::max<std::int64_t>(1, responses / settings.k));
}

class Sampler {
 public:
  Sampler(StageContext& context, const SampleSettings& settings, const std::vector<Task>& tasks)
      : context_(context),
        tasks_(tasks),
        sampling_{settings.k,     settings.max_new_tokens, settings.temperature,
                  settings.top_k, settings.top_p,          context.random().derive("sample").key()},
        generator_(make<Generator>(context, settings.generator)),
        served_(generator_.as<ServedGenerator>(), context) {}

  // Groups of the prompts [begin, end). Throws Cancelled when the run is to stop.
  std::vector<ResponseGroup> sample(std::size_t begin, std::size_t end) {
    std::vector<std::optional<ResponseGroup>> groups(end - begin);
    std::vector<Prompt> prompts;
    std::vector<std::size_t> at;  // of each prompt that is asked for, in the block
    for (std::size_t i = begin; i < end; ++i) {
      groups[i - begin] = served_.take(tasks_[i].prompt.id);
      if (groups[i - begin]) continue;
      prompts.push_back(tasks_[i].prompt);
      at.push_back(i - begin);
    }
    std::size_t finished = groups.size() - prompts.size();
    if (!prompts.empty()) {
      generator_.call(&Generator::generate, prompts, sampling_, [&](std::size_t i, ResponseGroup&& group) {
        context_.progress("prompts", begin + ++finished, tasks_.size());
        group.prompt = prompts.at(i);
        if (is_complete(group)) served_.keep(group);
        groups[at[i]] = std::move(group);
      });
    }
    if (context_.cancelled()) throw Cancelled{};
    std::vector<ResponseGroup> out;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      require_complete(groups[i], tasks_[begin + i].prompt.id);
      out.push_back(std::move(*groups[i]));
      out.back().prompt = tasks_[begin + i].prompt;
      out.back().annotation = tasks_[begin + i].annotation;
    }
    return out;
  }

  // A block is on the disk.
  void finish_block(std::span<const ResponseGroup> block) {
    for (const ResponseGroup& group : block) {
      for (const Response& response : group.responses) tokens_ += response.ids.size();
    }
    served_.finish_block();
  }

  void log_speed() const {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started_;
    context_.log(LogLevel::info, fmt::format("sampled {} tokens in {:.1f} s, {:.0f} tokens/s", tokens_, seconds.count(),
                                             static_cast<double>(tokens_) / std::max(seconds.count(), 1e-9)));
  }

 private:
  [[nodiscard]] bool is_complete(const ResponseGroup& group) const {
    return group.responses.size() == static_cast<std::size_t>(sampling_.responses);
  }

  void require_complete(const std::optional<ResponseGroup>& group, const std::string& prompt) const {
    if (group && is_complete(*group)) return;
    const std::size_t got = group ? group->responses.size() : 0;
    throw Error(ErrorCode::plugin, fmt::format("{} gave {} responses to prompt {}; wanted {}", generator_.name(), got,
                                               prompt, sampling_.responses));
  }

  StageContext& context_;
  const std::vector<Task>& tasks_;
  Sampling sampling_;
  Made<Generator> generator_;
  ServedSampling served_;
  std::size_t tokens_ = 0;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

void summarise(StageContext& context, const std::filesystem::path& rows, std::int64_t max_new_tokens) {
  std::int64_t prompts = 0, responses = 0, tokens = 0, truncated = 0, empty = 0;
  for_each_row(rows, [&](const Value& row, const std::string& where) -> Result<void> {
    const auto group = group_from(row, where);
    if (!group) return group.error();
    ++prompts;
    for (const Response& response : group->responses) {
      ++responses;
      tokens += static_cast<std::int64_t>(response.ids.size());
      truncated += response.finish == FinishReason::length ? 1 : 0;
      empty += response.text.empty() ? 1 : 0;
    }
    return {};
  }).value();
  const auto share = [&](std::int64_t count) { return static_cast<double>(count) / static_cast<double>(responses); };
  context.summarise("prompts", prompts);
  context.summarise("responses", responses);
  context.summarise("tokens", tokens);
  context.summarise("mean_length", share(tokens));
  context.summarise("truncated", share(truncated));
  context.summarise("empty", share(empty));
  RowAccount account;
  account.add({.what = "truncated",
               .count = truncated,
               .of = responses,
               .unit = "answers",
               .reason = fmt::format("no end within max_new_tokens {}", max_new_tokens),
               .cure = "raise max_new_tokens"});
  if (truncated == responses) {
    context.log(LogLevel::warning, fmt::format("every answer is cut: {}. A model that never ends has not learnt its "
                                               "end token, or its chat format is another",
                                               account.line()));
  }
  context.account(account);
}

void run(StageContext& context) {
  const SampleSettings settings = sample_params().parse(context.params());
  std::vector<Task> tasks = read_tasks(context.input("prompts"));
  if (tasks.empty()) {
    throw Error(ErrorCode::data, fmt::format("{} holds no prompts; sampling needs at least one", settings.prompts));
  }
  const RowAccount repeated = drop_repeated(tasks);

  const std::filesystem::path work = context.work_folder() / row_file::responses;
  // A server draws on machines of its own: rank 0 asks it, for one cut into blocks.
  const KnownComponent* generator = context.registry().find("generator", settings.generator.name);
  const bool served = generator != nullptr && asks_for(generator->info, "server");
  if (served && !ranks().leads()) return;
  DurableGroups rows(work, context, served ? alone() : ranks());
  if (rows.done() < tasks.size()) {
    if (rows.done() > 0) context.log(LogLevel::info, fmt::format("{} prompts were sampled before", rows.done()));
    Sampler sampler(context, settings, tasks);
    rows.fill(
        tasks.size(), block_size(settings),
        [&](std::size_t begin, std::size_t end) { return sampler.sample(begin, end); },
        [&](std::size_t, std::span<const ResponseGroup> block) { sampler.finish_block(block); });
    sampler.log_speed();
  }
  if (!ranks().leads()) return;
  std::filesystem::copy_file(work, context.folder() / row_file::responses,
                             std::filesystem::copy_options::overwrite_existing);
  summarise(context, work, settings.max_new_tokens);
  summarise_engines(context);
  context.account(repeated);
}

const BodyRegistration registered("sample", run, on_ranks);

}  // namespace

}  // namespace plumb
