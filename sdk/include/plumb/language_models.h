// The framework's own models as a service to components: loading a folder, sampling from it, scoring with its reward
// head.
//
//   auto* models = static_cast<plumb::LanguageModels*>(host.query(plumb::LanguageModels::service));
//   auto policy = models->open_policy("runs/demo/sft");
//   policy->generate(prompts, sampling, done);
//
// Thread contract: open_* may be called from any thread; what they return is [lane].
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plumb/generator.h"
#include "plumb/placement.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

struct OpenOptions {
  Placement placement = {};
  std::int64_t rows = 128;           // of a policy: responses in flight
  std::int64_t batch_tokens = 8192;  // of a reward model: tokens of one forward pass
  std::string chat_format;           // of a folder that names none; Error(recipe) when it names another
  bool truncate_left = false;        // of a reward model: of what it cannot read whole the end; else Error(data)
};

// How a component reads with a reward model: parameters of every one that opens its folder, to be spliced in.
struct RewardReading {
  std::string chat_format;  // of a folder that names none; empty: as the folder says
  Placement placement;

  static Params<RewardReading> params();
};

class PolicyHandle {
 public:
  virtual ~PolicyHandle();
  virtual void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                        const std::function<void(std::size_t, ResponseGroup&&)>& done) = 0;
};

class RewardHandle {
 public:
  virtual ~RewardHandle();
  virtual std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) = 0;
  // [groups][responses] tokens by which a prompt with its response is longer than the model reads; 0: it fits. By
  // default everything fits.
  virtual std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups);
};

class LanguageModels {
 public:
  static constexpr const char* service = "language-models/2";
  virtual ~LanguageModels();
  virtual std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& options = {}) = 0;
  virtual std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions& options = {}) = 0;
};

}  // namespace v1
}  // namespace plumb
