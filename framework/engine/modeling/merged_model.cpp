#include "framework/engine/modeling/merged_model.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/merge_adapter.h"
#include "framework/engine/modeling/model_weights.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/save_model.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

bool is_head(const std::string& tensor, const Value& config) {
  return tensor.starts_with(reward_head_of(config).layer + ".");
}

// Weights of 16 bits stay so, views of their file.
std::string stored_type(const fs::path& folder) {
  const Value config = read_json(folder / "config.json").value();
  for (const auto& [name, tensor] : read_model_tensors(folder).value()) {
    if (tensor.scalar_type() != at::kBFloat16 && !is_head(name, config)) return "float32";
  }
  return "bfloat16";
}

LanguageModel open_to_merge(const fs::path& adapter, bool reward, const Registry& registry, Host& host) {
  std::error_code ignored;
  if (fs::is_directory(adapter, ignored) && !is_adapter_folder(adapter)) {
    throw Error(ErrorCode::data, adapter.string() +
                                     ": there is no adapter_config.json, so there is nothing to fold in; "
                                     "wanted the folder of an adapter");
  }
  const std::string type = is_adapter_folder(adapter) ? stored_type(whole_base(adapter).value()) : "float32";
  return open_language_model(adapter, registry, host, {.placement = {.dtype = type}, .reward_head = reward});
}

const Linear* adapted(const LanguageModel& model, const std::string& tensor) {
  constexpr std::string_view ending = ".weight";
  if (!tensor.ends_with(ending)) return nullptr;
  const Linear* layer = model.parameters->find_linear(tensor.substr(0, tensor.size() - ending.size()));
  return layer != nullptr && layer->adapter ? layer : nullptr;
}

}  // namespace

MergeLoss write_merged(const fs::path& adapter, const fs::path& folder, const std::string& dtype, bool reward,
                       const Registry& registry, Host& host) {
  const LanguageModel model = open_to_merge(adapter, reward, registry, host);
  const at::ScalarType type = tensor_place({.dtype = dtype}).type;
  MergeSums sums;
  std::vector<TensorToWrite> tensors;
  for (const Parameter* parameter : model.parameters->all()) {
    const at::Tensor& base = *parameter->tensor;
    if (model.score != nullptr && is_head(parameter->name, model.config)) {  // float32 in every folder
      tensors.push_back({parameter->name, base.scalar_type(), parameter->shape, [&base] { return base; }});
      continue;
    }
    const Linear* layer = adapted(model, parameter->name);
    const auto make = [&sums, &base, layer, type] {
      if (layer == nullptr) return base.to(type);
      const at::Tensor update = adapter_update(*layer), wide = base.to(at::kFloat);
      at::Tensor merged = (wide + update).to(type);
      sums.add(wide, merged.to(at::kFloat), update);
      return merged;
    };
    tensors.push_back({parameter->name, type, parameter->shape, make});
  }
  save_weights(model, folder, type, tensors);
  return sums.loss();
}

MergeLoss measure_merged(const fs::path& adapter, const fs::path& merged, bool reward, const Registry& registry,
                         Host& host) {
  const LanguageModel model = open_to_merge(adapter, reward, registry, host);
  const auto tensors = read_model_tensors(merged).value();
  MergeSums sums;
  for (const Parameter* parameter : model.parameters->all()) {
    const Linear* layer = adapted(model, parameter->name);
    if (layer == nullptr) continue;
    const auto found = tensors.find(parameter->name);
    if (found == tensors.end() || found->second.sizes() != parameter->tensor->sizes()) {
      throw Error(ErrorCode::data,
                  fmt::format("{}: no tensor {} of the base's shape", merged.string(), parameter->name));
    }
    sums.add(parameter->tensor->to(at::kFloat), found->second.to(at::kFloat), adapter_update(*layer));
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
