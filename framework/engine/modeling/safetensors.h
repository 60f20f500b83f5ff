// The safetensors format, checked: 8-byte header length, JSON header (≤ 100 MB, starts with '{', no duplicate names),
// tensors without holes or overlap, sizes by overflow-checked arithmetic.
//
//   SafetensorsFile file = open_safetensors("model.safetensors").value();   // mmap, zero copy
//   at::Tensor w = file.tensor("score.weight");
//   write_safetensors("out.safetensors", {{"score.weight", w}}, {{"format", "pt"}}).value();
//
// Sharded folders: model.safetensors.index.json with plain file names (no path separators).
// Thread contract: reading is [any]; tensors keep the mapping alive.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/result.h"
#include "plumb/tensor/torch.h"

namespace plumb {

struct TensorEntry {
  std::string name, dtype;  // "F32", "BF16", "F16", "I64", "I32", "I8", "U8", "BOOL", "F64"
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes from the start of the data
};

class SafetensorsFile {
 public:
  [[nodiscard]] const std::vector<TensorEntry>& entries() const;
  [[nodiscard]] const TensorEntry* find(const std::string& name) const;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  // A view of the mapping (copy-on-write private mapping, so writes never reach the file).
  [[nodiscard]] at::Tensor tensor(const std::string& name) const;

 private:
  friend Result<SafetensorsFile> open_safetensors(const std::filesystem::path&);
  struct Mapping;
  std::shared_ptr<const Mapping> mapping_;
};

Result<SafetensorsFile> open_safetensors(const std::filesystem::path& file);

// Tensors in the given order, 8-byte aligned as HF's own writer does (sorted by dtype size, then name). Temp, fsync,
// rename.
Result<void> write_safetensors(const std::filesystem::path& file,
                               const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                               const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

// The same of tensors that are made as they are written, one at a time, so that they need not be in memory together.
struct TensorToWrite {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  std::function<at::Tensor()> make;  // called once, in the file's order; of this type and shape
};
// Of a tensor that is there.
TensorToWrite to_write(std::string name, const at::Tensor& tensor);
Result<void> stream_safetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors,
                                const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
// Makes the same in the same order and writes nothing: for a rank that has a part of each while another one writes.
void make_safetensors(const std::vector<TensorToWrite>& tensors);

// One tensor map over a folder's model.safetensors or its shards.
Result<std::map<std::string, at::Tensor>> read_model_tensors(const std::filesystem::path& folder);

}  // namespace plumb
