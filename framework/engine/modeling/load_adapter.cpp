#include "framework/engine/modeling/load_adapter.h"

#include <fmt/ranges.h>

#include <set>

#include "framework/engine/modeling/adapter_config.h"
#include "framework/engine/modeling/lora.h"
#include "framework/engine/modeling/safetensors.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

// The last parts of the adapted layers' names, as PEFT's target_modules lists them.
std::vector<std::string> adapted_suffixes(const LanguageModel& model) {
  std::set<std::string> out;
  for (const std::string& name : model.parameters->linear_names()) {
    if (model.parameters->find_linear(name)->adapter) out.insert(name.substr(name.rfind('.') + 1));
  }
  return {out.begin(), out.end()};
}

}  // namespace

bool adapter_holds_score(const fs::path& folder) {
  return open_safetensors(folder / adapter_tensors_name).value().find(std::string(adapter_prefix) + "score.weight") !=
         nullptr;
}

void load_adapter(LanguageModel& model, const fs::path& folder, const OpenModel& how) {
  auto [lora, layers] = read_adapter_config(folder);
  const SafetensorsFile file = open_safetensors(folder / adapter_tensors_name).value();
  const auto wrong = [&](const std::string& what) {
    return Error(ErrorCode::data, fmt::format("{}: {}", (folder / adapter_tensors_name).string(), what));
  };
  const at::Device device = model.device();
  const auto tensor = [&](const std::string& name, at::IntArrayRef shape) {
    if (file.find(name) == nullptr) throw wrong(fmt::format("it holds no tensor {}", name));
    const at::Tensor value = file.tensor(name);
    if (value.sizes() != shape) {
      throw wrong(fmt::format("tensor {} has shape [{}]; the layer and its rank need [{}]", name,
                              fmt::join(value.sizes(), ", "), fmt::join(shape, ", ")));
    }
    return value.to(device, at::kFloat, false, true);
  };
  for (const TensorEntry& entry : file.entries()) {
    if (const Parameter* head = head_parameter(model, entry.name); head != nullptr) {
      *head->tensor = tensor(entry.name, head->tensor->sizes()).to(head->tensor->scalar_type());
      continue;
    }
    const bool a = entry.name.ends_with(".lora_A.weight"), b = entry.name.ends_with(".lora_B.weight");
    const std::string layer_name =
        entry.name.starts_with(adapter_prefix) && (a || b)
            ? entry.name.substr(adapter_prefix.size(),
                                entry.name.size() - adapter_prefix.size() - std::string_view(".lora_A.weight").size())
            : "";
    Linear* layer = model.parameters->find_linear(layer_name);
    if (layer == nullptr)
      throw wrong(fmt::format("tensor {} belongs to no linear layer of the base model", entry.name));
    if (b) continue;  // read with its A
    const std::string stem = std::string(adapter_prefix) + layer_name;
    const std::int64_t rank = layers.rank(layer_name);
    give_adapter(*layer, tensor(entry.name, {rank, layer->weight.size(1)}),
                 tensor(stem + ".lora_B.weight", {layer->weight.size(0), rank}), layers.scale(layer_name), lora.dropout,
                 how.training && !how.merge_adapter);
  }
  lora.targets = adapted_suffixes(model);
  if (lora.targets.empty()) throw wrong("it holds no adapter");
  model.lora = lora;
  list_adapter(model);
  if (how.training && !how.merge_adapter) freeze_base(model);
}

}  // namespace plumb
