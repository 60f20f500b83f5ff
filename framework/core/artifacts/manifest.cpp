#include "framework/core/artifacts/manifest.h"

#include <fmt/format.h>

#include "framework/core/artifacts/disk.h"

namespace plumb {

namespace {

constexpr std::int64_t format_number = 1;

using Names = std::vector<std::pair<std::string, std::string>>;

Value names_value(const Names& names) {
  Value out = Value::map();
  for (const auto& [name, value] : names) out.set(name, value);
  return out;
}

Names names_from(const Value& value) {
  Names out;
  for (const auto& [name, item] : value.as_map()) out.emplace_back(name, item.as_string());
  return out;
}

// Counts and seeds are unsigned 64-bit; JSON's integers here are signed, so they share the bits.
Value unsigned_value(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}
std::uint64_t unsigned_from(const Value& value) {
  return static_cast<std::uint64_t>(value.as_int());
}

constexpr const char* checksum_name = "sha256";  // of the rest of the manifest

// As parsed, in sorted order: the same before it is written and after it is read.
std::string checksum_of(Value manifest) {
  auto& entries = manifest.as_map();
  std::erase_if(entries, [](const Value::Entry& entry) { return entry.key == checksum_name; });
  return sha256_of(to_json(parse_json(to_json(manifest)), true));
}

// Throws Error that names what is missing or of another type.
ArtifactManifest manifest_from(const Value& value) {
  if (value.at("format").as_int() != format_number) {
    throw Error(ErrorCode::data,
                fmt::format("format {} of artifact.json is not known here; this version reads format {}",
                            value.at("format").as_int(), format_number));
  }
  ArtifactManifest out;
  out.key = value.at("key").as_string();
  out.type = value.at("type").as_string();
  if (const Value* recipe = value.find("recipe"); recipe != nullptr) out.recipe = recipe->as_string();
  out.stage = value.at("stage").as_string();
  out.stage_kind = value.at("stage_kind").as_string();
  out.revision = static_cast<int>(value.at("revision").as_int());
  out.params = value.at("params");
  out.contents = names_from(value.at("contents"));
  out.inputs = names_from(value.at("inputs"));
  for (const Value& use : value.at("plugins").as_list()) {
    out.plugins.push_back({use.at("id").as_string(), use.at("version").as_string(), use.at("sha256").as_string(),
                           use.at("component").as_string()});
  }
  if (!value.at("seed").is_null()) out.seed = unsigned_from(value.at("seed"));
  for (const Value& file : value.at("files").as_list()) {
    const Value* target = file.find("target");
    out.files.push_back({file.at("name").as_string(), unsigned_from(file.at("size")), file.at("sha256").as_string(),
                         target == nullptr ? std::string() : target->as_string()});
  }
  out.summary = value.at("summary");
  out.seconds = value.at("seconds").as_double();
  out.peak_bytes = unsigned_from(value.at("peak_bytes"));
  return out;
}

}  // namespace

Value manifest_value(const ArtifactManifest& manifest) {
  Value::List plugins;
  for (const PluginUse& use : manifest.plugins) {
    plugins.push_back(
        Value::map({{"id", use.id}, {"version", use.version}, {"sha256", use.sha256}, {"component", use.component}}));
  }
  Value::List files;
  for (const ArtifactFile& file : manifest.files) {
    Value item = Value::map({{"name", file.name}, {"size", unsigned_value(file.size)}, {"sha256", file.sha256}});
    if (!file.target.empty()) item.set("target", file.target);
    files.push_back(std::move(item));
  }
  return Value::map({{"format", format_number},
                     {"key", manifest.key},
                     {"type", manifest.type},
                     {"recipe", manifest.recipe},
                     {"stage", manifest.stage},
                     {"stage_kind", manifest.stage_kind},
                     {"revision", manifest.revision},
                     {"params", manifest.params},
                     {"contents", names_value(manifest.contents)},
                     {"inputs", names_value(manifest.inputs)},
                     {"plugins", std::move(plugins)},
                     {"seed", manifest.seed ? unsigned_value(*manifest.seed) : Value()},
                     {"files", std::move(files)},
                     {"summary", manifest.summary},
                     {"seconds", manifest.seconds},
                     {"peak_bytes", unsigned_value(manifest.peak_bytes)}});
}

std::string manifest_text(const ArtifactManifest& manifest) {
  Value value = manifest_value(manifest);
  value.set(checksum_name, checksum_of(value));
  return to_json(value, false, 2) + "\n";
}

Result<ArtifactManifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / manifest_name;
  Result<std::string> text = read_file(file);
  if (!text) return text.error();
  try {
    const Value value = parse_json(*text, file.string());
    ArtifactManifest manifest = manifest_from(value);
    const Value* checksum = value.find(checksum_name);  // none: written by hand
    if (checksum != nullptr && !(*checksum == Value(checksum_of(value)))) {
      throw Error(ErrorCode::data, "its content has changed since it was written: its own SHA-256 does not fit");
    }
    return manifest;
  } catch (const Error& error) {
    const std::string what = error.what();
    return Error(ErrorCode::data, fmt::format("{}{}. The artifact is damaged and has to be made again",
                                              what.starts_with(file.string()) ? "" : file.string() + ": ", what));
  }
}

}  // namespace plumb
