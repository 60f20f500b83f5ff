#include "plumb/host.h"

#include "plumb/language_models.h"
#include "plumb/plugin.h"
#include "plumb/policy_texts.h"

namespace plumb {
inline namespace v1 {

Host::~Host() = default;
PolicyHandle::~PolicyHandle() = default;
RewardHandle::~RewardHandle() = default;
std::vector<std::vector<std::int64_t>> RewardHandle::excess(std::span<const ResponseGroup> groups) {
  std::vector<std::vector<std::int64_t>> out;
  for (const ResponseGroup& group : groups) out.emplace_back(group.responses.size(), 0);
  return out;
}
LanguageModels::~LanguageModels() = default;
TextsHandle::~TextsHandle() = default;
PolicyTexts::~PolicyTexts() = default;

Params<RewardReading> RewardReading::params() {
  Params<RewardReading> p{"how a component reads with a reward model"};
  p.add(&RewardReading::chat_format, "chat_format",
        "how it reads conversations (llama-2, hh, oasst, alpaca, plain), of a folder whose plumb.json does not say; "
        "empty: as the folder says");
  p.include(&RewardReading::placement, Placement::params());
  return p;
}

}  // namespace v1
}  // namespace plumb

const int plumb::abi::sdk_1 = 1;
