// The devices that stages and their components name, and whether this machine has them.
#include <fmt/format.h>

#include <map>

#include "framework/core/door/devices.h"
#include "framework/core/recipe/checking.h"
#include "plumb/placement.h"

namespace plumb {
namespace {

struct NamedDevice {
  std::string param;  // dotted within the stage
  const Value* device;
};

void find_devices(const std::vector<ParamInfo>& infos, const Value* params, const std::string& prefix,
                  std::vector<NamedDevice>& found) {
  if (params == nullptr || !params->is_map()) return;
  for (const ParamInfo& info : infos) {
    const Value* value = params->find(info.name);
    if (value == nullptr) continue;
    if (info.choices == device_choices() && value->is_string()) found.push_back({prefix + info.name, value});
    find_devices(info.fields, value, prefix + info.name + ".", found);
  }
}

// The value at a dotted name; items of a list are counted ("evaluators.0").
const Value* at(const Value& tree, std::string_view name) {
  const Value* here = &tree;
  while (here != nullptr && !name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    const std::string part(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
    if (here->is_list()) {
      const std::size_t index = std::stoul(part);
      here = index < here->as_list().size() ? &here->as_list()[index] : nullptr;
    } else {
      here = here->is_map() ? here->find(part) : nullptr;
    }
  }
  return here;
}

std::vector<NamedDevice> devices_of(const StageSpec& stage) {
  std::vector<NamedDevice> found;
  find_devices(stage.kind->params, &stage.params, "", found);
  for (const ComponentUse& use : stage.components) {
    find_devices(use.component->info.params, at(stage.params, use.param), use.param + ".", found);
  }
  return found;
}

}  // namespace

void check_devices(Checking& checking, std::string& absent) {
  std::map<std::string, std::string> known;  // by device: what it lacks
  for (const StageSpec& stage : checking.stages) {
    if (stage.kind == nullptr) continue;
    for (const auto& [param, device] : devices_of(stage)) {
      const std::string& name = device->as_string();
      if (!parse_device(name)) continue;  // complained of with the parameters
      const auto [entry, fresh] = known.try_emplace(name);
      if (fresh) entry->second = missing_for_device(name);
      if (entry->second.empty()) continue;
      if (checking.source.devices_may_be_absent) {
        if (absent.empty()) absent = fmt::format("device {} is not on this machine: {}", name, entry->second);
        continue;
      }
      checking.complain(stage, device->mark, param,
                        fmt::format("{} cannot be used on this machine: {}. Use cpu; to plan for another machine, add "
                                    "--gpus or --without-files to `plumb plan`",
                                    name, entry->second));
    }
  }
}

}  // namespace plumb
