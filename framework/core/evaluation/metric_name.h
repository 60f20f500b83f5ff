// What the name of a metric says: KIND/MODEL/MEASURE, or KIND/MODEL when the kind is itself what was measured.
//
//   split_metric_name("judge/sft/mean", {"sft", "aligned"})           // {"judge", "sft", "mean"}
//   split_metric_name("mt-bench/sft/category/math", {"sft"})          // {"mt-bench", "sft", "category/math"}
//   split_metric_name("words/sft", {"sft"})                           // {"words", "sft", ""}
//   split_metric_name("judge tokens read", {"sft"})                   // nothing: it is of no model
//
// Kinds and models may hold slashes themselves; of several models that fit, the longest name counts.
// Thread contract: [any].
#pragma once

#include <optional>
#include <span>
#include <string>

namespace plumb {

struct MetricName {
  std::string kind, model, measure;
};

std::optional<MetricName> split_metric_name(const std::string& name, std::span<const std::string> models);

}  // namespace plumb
