#include "plumb/host.h"

#include "plumb/language_models.h"
#include "plumb/plugin.h"

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

}  // namespace v1
}  // namespace plumb

const int plumb::abi::sdk_1 = 1;
