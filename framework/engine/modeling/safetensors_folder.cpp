// The weights of a model folder: one safetensors file, or shards with their index, as Hugging Face's folders have them.
#include <fmt/format.h>

#include <string_view>

#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/safetensors.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

using TensorMap = std::map<std::string, at::Tensor>;

Error refused(const fs::path& file, const std::string& what) {
  return {ErrorCode::data, fmt::format("{}: {}", file.string(), what)};
}

void add_all(const SafetensorsFile& file, const fs::path& path, TensorMap& tensors) {
  for (const TensorEntry& entry : file.entries()) {
    if (!tensors.emplace(entry.name, file.tensor(entry.name)).second) {
      throw refused(path, fmt::format("tensor \"{}\" is in another shard, too", entry.name));
    }
  }
}

// A shard's name comes from an untrusted file: it may name nothing but a file of the same folder.
void check_shard_name(const fs::path& index, const std::string& tensor, const Value& shard) {
  const std::string name = shard.is_string() ? shard.as_string() : "";
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
    throw refused(index, fmt::format("weight_map sends tensor \"{}\" to {}, which is no plain file name", tensor,
                                     to_json(shard)));
  }
}

TensorMap read_shards(const fs::path& folder) {
  const fs::path index = folder / kIndex;
  const Value content = read_json(index).value();
  const Value* map = content.is_map() ? content.find("weight_map") : nullptr;
  if (map == nullptr || !map->is_map()) throw refused(index, "it holds no map \"weight_map\"");
  std::map<std::string, SafetensorsFile> shards;
  for (const Value::Entry& item : map->as_map()) {
    check_shard_name(index, item.key, item.value);
    const std::string& name = item.value.as_string();
    auto shard = shards.find(name);
    if (shard == shards.end()) shard = shards.emplace(name, open_safetensors(folder / name).value()).first;
    if (shard->second.find(item.key) == nullptr) {
      throw refused(folder / name, fmt::format("it holds no tensor \"{}\", which {} says is here", item.key, kIndex));
    }
  }
  TensorMap tensors;
  for (const auto& [name, file] : shards) add_all(file, folder / name, tensors);
  return tensors;
}

}  // namespace

Result<TensorMap> read_model_tensors(const fs::path& folder) {
  try {
    std::error_code ignored;
    if (fs::exists(folder / kWeights, ignored)) {
      TensorMap tensors;
      add_all(open_safetensors(folder / kWeights).value(), folder / kWeights, tensors);
      return tensors;
    }
    if (fs::exists(folder / kIndex, ignored)) return read_shards(folder);
  } catch (const Error& error) {
    return error;
  }
  return refused(folder, fmt::format("no {} and no {} (pickled .bin weights are not read: convert them to safetensors)",
                                     kWeights, kIndex));
}

}  // namespace plumb
