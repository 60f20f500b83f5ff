// The devices that stages and their components name, and whether this machine has them.
#include <fmt/format.h>

#include <map>

#include "framework/core/door/devices.h"
#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/dotted_value.h"
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

std::vector<NamedDevice> devices_of(const StageSpec& stage) {
  std::vector<NamedDevice> found;
  find_devices(stage.kind->params, &stage.params, "", found);
  for (const ComponentUse& use : stage.components) {
    find_devices(use.component->info.params, find_dotted(stage.params, use.param), use.param + ".", found);
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
