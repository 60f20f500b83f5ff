#include "framework/core/evaluation/metric_name.h"

namespace plumb {

std::optional<MetricName> split_metric_name(const std::string& name, std::span<const std::string> models) {
  std::optional<MetricName> best;
  const std::string closed = name + "/";  // so that a model at the end stands between slashes, too
  for (const std::string& model : models) {
    if (model.empty() || (best && best->model.size() >= model.size())) continue;
    const std::size_t at = closed.find("/" + model + "/");
    if (at == std::string::npos || at == 0) continue;
    const std::size_t rest = at + model.size() + 2;
    best = MetricName{name.substr(0, at), model, rest < name.size() ? name.substr(rest) : std::string()};
  }
  return best;
}

}  // namespace plumb
