#include "tools/cli/placement_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>

#include "framework/core/door/devices.h"

namespace plumb::cli {

namespace po = boost::program_options;

void add_placement_options(po::options_description& options, const std::vector<std::string>& names) {
  const std::vector<ParamInfo> infos = Placement::params().infos();
  for (const ParamInfo& info : infos) {
    if (std::find(names.begin(), names.end(), info.name) == names.end()) continue;
    const std::string doc = fmt::format("{} ({})", info.doc, fmt::join(info.choices, ", "));
    options.add_options()(info.name.c_str(), po::value<std::string>()->default_value(info.default_value.as_string()),
                          doc.c_str());
  }
}

Placement placement_of(const po::variables_map& given) {
  const std::vector<ParamInfo> infos = Placement::params().infos();
  Value chosen = Value::map();
  for (const ParamInfo& info : infos) {
    if (given.count(info.name) == 0) continue;
    const std::string& value = given[info.name].as<std::string>();
    if (!is_choice(info.choices, value)) {
      throw Error(ErrorCode::recipe,
                  fmt::format("--{}: found {}, wanted one of {}", info.name, value, fmt::join(info.choices, ", ")));
    }
    chosen.set(info.name, value);
  }
  Placement placement = Placement::params().parse(chosen);
  if (const std::string why = missing_for_device(placement.device); !why.empty()) {
    throw Error(ErrorCode::recipe,
                fmt::format("--device {} cannot be used on this machine: {}; use cpu", placement.device, why));
  }
  return placement;
}

}  // namespace plumb::cli
