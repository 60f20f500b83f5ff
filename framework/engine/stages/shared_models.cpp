#include "framework/engine/stages/shared_models.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "framework/core/artifacts/records_file.h"
#include "framework/engine/distributed/answers.h"

namespace plumb {
namespace {

constexpr std::size_t kAtOnce = 64;  // prompts of a rank between two times that answers are kept

std::string question(const StageContext& context, int number) {
  return "ask/" + context.name() + "/" + std::to_string(number);
}

Value to_value(const OpenOptions& options) {
  return Value::map({{"dtype", options.placement.dtype},
                     {"device", options.placement.device},
                     {"weights", options.placement.weights},
                     {"rows", options.rows},
                     {"chat_format", options.chat_format}});
}

OpenOptions options_of(const Value& value) {
  OpenOptions options;
  options.placement.dtype = value.at("dtype").as_string();
  options.placement.device = value.at("device").as_string();
  options.placement.weights = value.at("weights").as_string();
  options.rows = value.at("rows").as_int();
  options.chat_format = value.at("chat_format").as_string();
  return options;
}

Value to_value(const Sampling& sampling) {
  return Value::map({{"responses", sampling.responses},
                     {"max_new_tokens", sampling.max_new_tokens},
                     {"temperature", sampling.temperature},
                     {"top_k", sampling.top_k},
                     {"top_p", sampling.top_p},
                     {"seed", std::to_string(sampling.seed)}});
}

Sampling sampling_of(const Value& value) {
  return {.responses = value.at("responses").as_int(),
          .max_new_tokens = value.at("max_new_tokens").as_int(),
          .temperature = value.at("temperature").as_double(),
          .top_k = value.at("top_k").as_int(),
          .top_p = value.at("top_p").as_double(),
          .seed = std::stoull(value.at("seed").as_string())};
}

std::vector<ResponseGroup> answer(Collective& group, PolicyHandle& policy, std::span<const Prompt> prompts,
                                  const Sampling& sampling, Host& host) {
  return answer_together(group, prompts, host, [&](std::span<const Prompt> mine) {
    std::vector<ResponseGroup> answers(mine.size());
    policy.generate(mine, sampling, [&](std::size_t i, ResponseGroup&& answered) { answers[i] = std::move(answered); });
    return answers;
  });
}

}  // namespace

class SharedModels::Policy final : public PolicyHandle {
 public:
  Policy(SharedModels& models, std::unique_ptr<PolicyHandle> own) : models_(models), own_(std::move(own)) {}

  void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    const std::size_t step = kAtOnce * static_cast<std::size_t>(models_.group_.world());
    for (std::size_t begin = 0; begin < prompts.size(); begin += step) {
      const auto part = prompts.subspan(begin, std::min(step, prompts.size() - begin));
      Value::List asked;
      for (const Prompt& prompt : part) asked.push_back(plumb::to_value(prompt));
      models_.ask(Value::map({{"sampling", to_value(sampling)}, {"prompts", std::move(asked)}}));
      auto groups = answer(models_.group_, *own_, part, sampling, models_.context_);
      for (std::size_t i = 0; i < groups.size(); ++i) done(begin + i, std::move(groups[i]));
    }
  }

 private:
  SharedModels& models_;
  std::unique_ptr<PolicyHandle> own_;
};

SharedModels::SharedModels(LanguageModels& own, Collective& group, StageContext& context)
    : own_(own), group_(group), context_(context) {}

SharedModels::~SharedModels() {
  try {
    ask(Value::map({{"end", true}}));
  } catch (const RankMissing&) {  // nobody is left to be told
  }
}

void SharedModels::ask(const Value& what) {
  if (!group_.alone()) group_.post(question(context_, asked_++), to_json(what));
}

std::unique_ptr<PolicyHandle> SharedModels::open_policy(const std::string& folder, const OpenOptions& options) {
  if (group_.alone()) return own_.open_policy(folder, options);
  ask(Value::map({{"open", std::filesystem::absolute(folder).string()}, {"options", to_value(options)}}));
  return std::make_unique<Policy>(*this, own_.open_policy(folder, options));
}

std::unique_ptr<RewardHandle> SharedModels::open_reward(const std::string& folder, const OpenOptions& options) {
  return own_.open_reward(folder, options);
}

void serve(LanguageModels& own, Collective& group, StageContext& context) {
  std::unique_ptr<PolicyHandle> policy;
  for (int number = 0;;) {
    const auto text = group.posted(question(context, number));
    if (!text) {
      group.require_all();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    ++number;
    const Value asked = parse_json(*text);
    if (asked.find("end") != nullptr) return;
    if (const Value* folder = asked.find("open"); folder != nullptr) {
      policy.reset();
      policy = own.open_policy(folder->as_string(), options_of(asked.at("options")));
      continue;
    }
    std::vector<Prompt> prompts;
    for (const Value& prompt : asked.at("prompts").as_list()) prompts.push_back(prompt_from(prompt, "rank 0").value());
    answer(group, *policy, prompts, sampling_of(asked.at("sampling")), context);
  }
}

}  // namespace plumb
