#include "framework/core/components/hand_over.h"

#include <algorithm>

namespace plumb {

const Feed* feed_of(const StageKind& kind, const ComponentInfo& component, const std::string& param) {
  const auto feed =
      std::find_if(kind.feeds.begin(), kind.feeds.end(), [&](const Feed& f) { return f.component == param; });
  const bool reads = std::any_of(component.params.begin(), component.params.end(), [](const ParamInfo& info) {
    return info.name == kFedParam && info.type == ParamType::path;
  });
  return reads && feed != kind.feeds.end() ? &*feed : nullptr;
}

void hand_over(const StageKind& kind, const Registry& registry,
               const std::function<std::optional<std::string>(const std::string& input)>& folder, Value& params) {
  for (const ParamInfo& info : kind.params) {
    Value* chosen = info.type == ParamType::component && params.is_map() ? params.find(info.name) : nullptr;
    const Value* name = chosen != nullptr && chosen->is_map() ? chosen->find("name") : nullptr;
    if (name == nullptr || !name->is_string()) continue;
    const KnownComponent* known = registry.find(info.component_kind, name->as_string());
    const Feed* feed = known == nullptr ? nullptr : feed_of(kind, known->info, info.name);
    if (feed == nullptr) continue;
    const Value* own = chosen->find(kFedParam);
    if (own != nullptr && own->is_string() && !own->as_string().empty()) continue;
    if (std::optional<std::string> given = folder(feed->input)) chosen->set(kFedParam, std::move(*given));
  }
}

}  // namespace plumb
