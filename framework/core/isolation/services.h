// What the framework does for an isolated component that asks for it: a scratch folder, language models, and during an
// evaluation answers, rewards and judgements.
//
//   SharedModels shared;                              // of a component, whose processes see one copy of each model
//   Services services(host, shared);                  // of one of its processes
//   std::string answer = services.serve(operation, in, context, stream);
//
// Thread contract: serve is [any]; what must not run at once is kept apart inside.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "framework/core/isolation/frames.h"
#include "framework/core/isolation/wire.h"
#include "plumb/host.h"

namespace plumb {

template <class Handle>
struct SharedHandle {
  std::mutex lane;
  std::unique_ptr<Handle> handle;
};

// Models that processes of one component have open; one that all of them closed is let go.
class SharedModels {
 public:
  std::shared_ptr<SharedHandle<PolicyHandle>> policy(LanguageModels& models, const std::string& folder,
                                                     const OpenOptions& options);
  std::shared_ptr<SharedHandle<RewardHandle>> reward(LanguageModels& models, const std::string& folder,
                                                     const OpenOptions& options);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SharedHandle<PolicyHandle>>> policies_;
  std::map<std::string, std::weak_ptr<SharedHandle<RewardHandle>>> rewards_;
};

class Services {
 public:
  Services(Host& host, SharedModels& shared) : host_(host), shared_(shared) {}

  // The payload of the answer. Throws what the framework throws, and Error(plugin) for what makes no sense. `context`
  // is null except during an evaluation; `stream` sends a part of the answer.
  std::string serve(Operation operation, WireReader& in, EvaluationContext* context,
                    const std::function<void(std::string part)>& stream);

 private:
  LanguageModels& models();
  std::string generate(WireReader& in, const std::function<void(std::string part)>& stream);
  std::string score(WireReader& in, bool excess);  // what a reward model gives, or its excess
  std::string judge(WireReader& in, EvaluationContext& context);

  Host& host_;
  SharedModels& shared_;
  std::mutex mutex_;
  std::uint64_t opened_ = 0;
  std::map<std::uint64_t, std::shared_ptr<SharedHandle<PolicyHandle>>> policies_;
  std::map<std::uint64_t, std::shared_ptr<SharedHandle<RewardHandle>>> rewards_;
};

}  // namespace plumb
