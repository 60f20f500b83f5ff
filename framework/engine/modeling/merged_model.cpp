#include "framework/engine/modeling/merged_model.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string_view>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/merge_adapter.h"
#include "framework/engine/modeling/model_weights.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/save_model.h"
#include "framework/engine/modeling/saved_adapter.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

// Weights of 16 bits stay so, views of their file.
std::string stored_type(const fs::path& folder) {
  const Value config = read_json(folder / "config.json").value();
  for (const auto& [name, tensor] : read_model_tensors(folder).value()) {
    if (tensor.scalar_type() != at::kBFloat16 && !is_head(name, config)) return "float32";
  }
  return "bfloat16";
}

// Whether an adapter from this one downwards does more to its base than add to it.
bool changes_weights(const fs::path& adapter, const std::string& head) {
  for (fs::path at = adapter; is_adapter_folder(at); at = adapter_base(at).value()) {
    if (read_saved_adapter(at).changes_weights(head)) return true;
  }
  return false;
}

// An opened model, and the weights below its adapters where those are others than the opened ones: there it is opened in
// float32, which holds what was saved.
struct Merging {
  LanguageModel model;
  std::map<std::string, at::Tensor> below;
};

Merging open_to_merge(const fs::path& adapter, bool reward, const Registry& registry, Host& host) {
  std::error_code ignored;
  if (fs::is_directory(adapter, ignored) && !is_adapter_folder(adapter)) {
    throw Error(ErrorCode::data, adapter.string() +
                                     ": there is no adapter_config.json, so there is nothing to fold in; "
                                     "wanted the folder of an adapter");
  }
  if (!is_adapter_folder(adapter)) return {open_language_model(adapter, registry, host, {.reward_head = reward}), {}};
  const fs::path base = whole_base(adapter).value();
  const std::string head = reward_head_of(read_json(base / "config.json").value()).layer;
  const bool changes = changes_weights(adapter, head);
  const std::string type = changes ? "float32" : stored_type(base);
  Merging out{open_language_model(adapter, registry, host, {.placement = {.dtype = type}, .reward_head = reward}), {}};
  if (changes) out.below = read_model_tensors(base).value();
  return out;
}

// A weight that the adapters make another, all float: as it was below them, what is added to it, and both together.
struct Change {
  at::Tensor below, update, sum;
};

std::optional<Change> change_of(const Merging& merging, const Parameter& parameter) {
  constexpr std::string_view ending = ".weight";
  const std::string& name = parameter.name;
  const Linear* layer = name.ends_with(ending)
                            ? merging.model.parameters->find_linear(name.substr(0, name.size() - ending.size()))
                            : nullptr;
  const bool adapted = layer != nullptr && layer->adapter;
  const auto found = merging.below.find(name);  // rows that were added had no value
  const bool known = found != merging.below.end() && found->second.sizes() == parameter.tensor->sizes();
  if (!adapted && !known) return std::nullopt;
  Change out{.below = (known ? found->second : *parameter.tensor).to(at::kFloat)};
  if (known) {
    out.sum = adapted ? adapted_weight(*layer) : parameter.tensor->to(at::kFloat);
    out.update = out.sum - out.below;
  } else {
    out.update = adapter_update(*layer);
    out.sum = out.below + out.update;
  }
  return out;
}

}  // namespace

MergeLoss write_merged(const fs::path& adapter, const fs::path& folder, const std::string& dtype, bool reward,
                       const Registry& registry, Host& host) {
  const Merging merging = open_to_merge(adapter, reward, registry, host);
  const LanguageModel& model = merging.model;
  const at::ScalarType type = tensor_place({.dtype = dtype}).type;
  MergeSums sums;
  std::vector<TensorToWrite> tensors;
  for (const Parameter* parameter : model.parameters->all()) {
    const at::Tensor& base = *parameter->tensor;
    if (is_head(parameter->name, model)) {  // float32 in every folder
      tensors.push_back({parameter->name, base.scalar_type(), parameter->shape, [&base] { return base; }});
      continue;
    }
    const auto make = [&sums, &merging, parameter, type] {
      const auto change = change_of(merging, *parameter);
      if (!change) return parameter->tensor->to(type);
      at::Tensor merged = change->sum.to(type);
      sums.add(change->below, merged.to(at::kFloat), change->update);
      return merged;
    };
    tensors.push_back({parameter->name, type, parameter->shape, make});
  }
  save_weights(model, folder, type, tensors);
  return sums.loss();
}

MergeLoss measure_merged(const fs::path& adapter, const fs::path& merged, bool reward, const Registry& registry,
                         Host& host) {
  const Merging merging = open_to_merge(adapter, reward, registry, host);
  const LanguageModel& model = merging.model;
  const auto tensors = read_model_tensors(merged).value();
  MergeSums sums;
  for (const Parameter* parameter : model.parameters->all()) {
    if (is_head(parameter->name, model)) continue;
    const auto change = change_of(merging, *parameter);
    if (!change) continue;
    const auto found = tensors.find(parameter->name);
    if (found == tensors.end() || found->second.sizes() != parameter->tensor->sizes()) {
      throw Error(ErrorCode::data,
                  fmt::format("{}: no tensor {} of the base's shape", merged.string(), parameter->name));
    }
    sums.add(change->below, found->second.to(at::kFloat), change->update);
  }
  return sums.loss();
}

bool is_reward_adapter(const fs::path& adapter) {
  const Value config = read_json(adapter / adapter_config_name).value();
  const Value* task = config.is_map() ? config.find("task_type") : nullptr;
  if (task != nullptr && *task == Value("SEQ_CLS")) return true;
  return is_reward_model(read_json(whole_base(adapter).value() / "config.json").value());
}

}  // namespace plumb

void plumb_engine_merge(const std::filesystem::path& adapter, const std::filesystem::path& folder,
                        const std::string& dtype, const plumb::Registry& registry, plumb::Host& host,
                        plumb::Value& out) {
  const bool reward = plumb::is_adapter_folder(adapter) && plumb::is_reward_adapter(adapter);
  const plumb::MergeLoss loss = plumb::write_merged(adapter, folder, dtype, reward, registry, host);
  out = plumb::to_value(loss, dtype);
  out.set("text", plumb::merge_text(loss, dtype));
  out.set("faithful", loss.faithful());
}
