#include "framework/engine/training/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/safetensors.h"

namespace plumb {
namespace {

constexpr const char* kTensors = "tensors.safetensors";
constexpr const char* kState = "state.json";
constexpr const char* kStateHash = "state_sha256";
constexpr const char* kPrefix = "checkpoint-";

// As parsed, so that it is the same before it is written and after it is read.
std::string hash_of(const Value& state) {
  return sha256_of(to_json(parse_json(to_json(state)), true));
}

// The checkpoint in `folder`, or why it is none.
Result<Checkpoint> read_checkpoint(const std::filesystem::path& folder) {
  auto text = read_file(folder / kState);
  if (!text) return text.error();
  Checkpoint checkpoint;
  try {
    const Value document = parse_json(*text, (folder / kState).string());
    auto hash = sha256_of_file(folder / kTensors);
    if (!hash) return hash.error();
    if (*hash != document.at("sha256").as_string()) {
      return Error(ErrorCode::data,
                   (folder / kTensors).string() + ": its content does not match the hash in " + kState);
    }
    checkpoint.step = document.at("step").as_int();
    checkpoint.state = document.at("state");
    const Value* sum = document.find(kStateHash);  // an older version wrote none
    if (sum != nullptr && sum->as_string() != hash_of(checkpoint.state)) {
      return Error(ErrorCode::data, (folder / kState).string() + ": its content does not match its own hash");
    }
  } catch (const Error& error) {
    return Error(ErrorCode::data, folder.string() + ": " + error.what());
  }
  auto file = open_safetensors(folder / kTensors);
  if (!file) return file.error();
  for (const TensorEntry& entry : file->entries()) checkpoint.tensors[entry.name] = file->tensor(entry.name);
  return checkpoint;
}

}  // namespace

std::filesystem::path CheckpointFolder::folder_of(std::int64_t step) const {
  return folder_ / (kPrefix + std::to_string(step));
}

std::vector<std::int64_t> CheckpointFolder::steps() const {
  std::vector<std::int64_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const char* begin = name.data() + std::strlen(kPrefix);
    const char* end = name.data() + name.size();
    std::int64_t step = 0;
    const auto parsed = std::from_chars(begin, end, step);
    if (parsed.ec == std::errc() && parsed.ptr == end) found.push_back(step);
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

void CheckpointFolder::write(const CheckpointToWrite& checkpoint) {
  const auto target = folder_of(checkpoint.step);
  const auto temporary = folder_ / ("partial-" + std::to_string(checkpoint.step));
  std::error_code failed;
  std::filesystem::remove_all(temporary, failed);
  std::filesystem::create_directories(temporary, failed);
  if (failed) throw disk_error("create", temporary, failed.value());

  std::vector<TensorToWrite> tensors = checkpoint.made;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    tensors.push_back(to_write(name, tensor));
  }
  stream_safetensors(temporary / kTensors, tensors).value();
  Value document = Value::map();
  document.set("step", checkpoint.step);
  document.set("sha256", sha256_of_file(temporary / kTensors).value());
  document.set("state", checkpoint.state);
  document.set(kStateHash, hash_of(checkpoint.state));
  write_file(temporary / kState, to_json(document)).value();
  static_cast<void>(read_checkpoint(temporary).value());
  sync_folder(temporary);

  std::filesystem::remove_all(target, failed);  // a damaged one of the same step
  std::filesystem::rename(temporary, target, failed);
  if (failed) throw disk_error("put in place", target, failed.value());
  sync_folder(folder_);
  for (const std::int64_t step : steps()) {
    if (step != checkpoint.step) std::filesystem::remove_all(folder_of(step), failed);
  }
}

std::optional<Checkpoint> CheckpointFolder::last(std::vector<std::string>* complaints) const {
  for (const std::int64_t step : steps()) {
    auto checkpoint = read_checkpoint(folder_of(step));
    if (checkpoint) return std::move(*checkpoint);
    if (complaints != nullptr) complaints->emplace_back(checkpoint.error().what());
  }
  return std::nullopt;
}

}  // namespace plumb
