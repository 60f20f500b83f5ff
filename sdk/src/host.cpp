#include "plumb/host.h"

#include "plumb/language_models.h"
#include "plumb/plugin.h"

namespace plumb {
inline namespace v1 {

Host::~Host() = default;
PolicyHandle::~PolicyHandle() = default;
RewardHandle::~RewardHandle() = default;
LanguageModels::~LanguageModels() = default;

}  // namespace v1
}  // namespace plumb

const int plumb::abi::sdk_1 = 1;
