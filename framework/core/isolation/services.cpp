#include "framework/core/isolation/services.h"

#include "plumb/error.h"

namespace plumb {
namespace {

template <class Handle, class Open>
std::shared_ptr<SharedHandle<Handle>> find_or_open(std::map<std::string, std::weak_ptr<SharedHandle<Handle>>>& known,
                                                   const std::string& key, const Open& open) {
  std::weak_ptr<SharedHandle<Handle>>& place = known[key];
  std::shared_ptr<SharedHandle<Handle>> found = place.lock();
  if (found == nullptr) {
    found = std::make_shared<SharedHandle<Handle>>();
    found->handle = open();
    place = found;
  }
  return found;
}

template <class Map>
typename Map::mapped_type at(const Map& handles, std::uint64_t number) {
  const auto found = handles.find(number);
  if (found == handles.end()) throw Error(ErrorCode::plugin, "a component uses a model that it has not open");
  return found->second;
}

}  // namespace

std::shared_ptr<SharedHandle<PolicyHandle>> SharedModels::policy(LanguageModels& models, const std::string& folder,
                                                                 const OpenOptions& options) {
  const std::scoped_lock lock(mutex_);
  return find_or_open(policies_, packed(folder, options), [&] { return models.open_policy(folder, options); });
}

std::shared_ptr<SharedHandle<RewardHandle>> SharedModels::reward(LanguageModels& models, const std::string& folder,
                                                                 const OpenOptions& options) {
  const std::scoped_lock lock(mutex_);
  return find_or_open(rewards_, packed(folder, options), [&] { return models.open_reward(folder, options); });
}

LanguageModels& Services::models() {
  auto* models = static_cast<LanguageModels*>(host_.query(LanguageModels::service));
  if (models == nullptr) throw Error(ErrorCode::plugin, "this host opens no models");
  return *models;
}

std::string Services::generate(WireReader& in, const std::function<void(std::string part)>& stream) {
  const auto number = in.take<std::uint64_t>();
  const auto prompts = in.take<std::vector<Prompt>>();
  const auto sampling = in.take<Sampling>();
  in.end();
  std::shared_ptr<SharedHandle<PolicyHandle>> policy;
  {
    const std::scoped_lock lock(mutex_);
    policy = at(policies_, number);
  }
  const std::scoped_lock lane(policy->lane);
  policy->handle->generate(prompts, sampling, [&](std::size_t prompt, ResponseGroup&& group) {
    stream(packed(static_cast<std::uint64_t>(prompt), group));
  });
  return {};
}

std::string Services::score(WireReader& in, bool excess) {
  const auto number = in.take<std::uint64_t>();
  const auto groups = in.take<std::vector<ResponseGroup>>();
  in.end();
  std::shared_ptr<SharedHandle<RewardHandle>> reward;
  {
    const std::scoped_lock lock(mutex_);
    reward = at(rewards_, number);
  }
  const std::scoped_lock lane(reward->lane);
  return excess ? packed(reward->handle->excess(groups)) : packed(reward->handle->score(groups));
}

std::string Services::judge(WireReader& in, EvaluationContext& context) {
  const auto request = in.take<JudgeRequest>();
  in.end();
  Judge* judge = context.judge();
  if (judge == nullptr) throw Error(ErrorCode::plugin, "an evaluator asks for a judgement where there is no judge");
  if (dynamic_cast<WaitingJudge*>(judge) != nullptr) return packed(judge->judge(request));
  // As a loop's body, so that many at once share the cores as they do without isolation.
  std::string out;
  host_.parallel_for(1, [&](std::size_t) { out = packed(judge->judge(request)); });
  return out;
}

std::string Services::serve(Operation operation, WireReader& in, EvaluationContext* context,
                            const std::function<void(std::string part)>& stream) {
  switch (operation) {
    case Operation::scratch_folder:
      return packed(host_.scratch_folder());
    case Operation::has_models:
      return packed(host_.query(LanguageModels::service) != nullptr);
    case Operation::open_policy: {
      const auto folder = in.take<std::string>();
      auto handle = shared_.policy(models(), folder, in.take<OpenOptions>());
      const std::scoped_lock lock(mutex_);
      policies_[++opened_] = std::move(handle);
      return packed(opened_);
    }
    case Operation::open_reward: {
      const auto folder = in.take<std::string>();
      auto handle = shared_.reward(models(), folder, in.take<OpenOptions>());
      const std::scoped_lock lock(mutex_);
      rewards_[++opened_] = std::move(handle);
      return packed(opened_);
    }
    case Operation::close: {
      const auto number = in.take<std::uint64_t>();
      const std::scoped_lock lock(mutex_);
      policies_.erase(number);
      rewards_.erase(number);
      return {};
    }
    case Operation::generate:
      return generate(in, stream);
    case Operation::score:
      return score(in, false);
    case Operation::excess:
      return score(in, true);
    case Operation::answer:
    case Operation::reward:
    case Operation::context_judge:
      break;
    default:
      throw Error(ErrorCode::plugin, "an isolated component asks for something that the framework does not do");
  }
  if (context == nullptr) throw Error(ErrorCode::plugin, "a component asks for answers outside an evaluation");
  if (operation == Operation::context_judge) return judge(in, *context);
  if (operation == Operation::answer) {
    const auto model = in.take<std::string>();
    const auto prompts = in.take<std::vector<Prompt>>();
    return packed(context->answer(model, prompts, in.take<AnswerOptions>()));
  }
  const auto prompts = in.take<std::vector<Prompt>>();
  return packed(context->reward(prompts, in.take<std::vector<std::string>>()));
}

}  // namespace plumb
