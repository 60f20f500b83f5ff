#include "framework/core/registry/candidate.h"

#include <cstring>
#include <mutex>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/registry/elf_note.h"
#include "framework/core/registry/fingerprint.h"
#include "framework/core/registry/permissions.h"
#include "plumb/description.h"

namespace plumb {

namespace fs = std::filesystem;

struct PluginCandidate::Digest {
  std::once_flag once;
  std::string hex;
};

std::shared_ptr<PluginCandidate::Digest> PluginCandidate::make_digest() {
  return std::make_shared<Digest>();
}

std::string PluginCandidate::sha256() const {
  std::call_once(digest_->once, [&] { digest_->hex = sha256_of_file(file).value(); });
  return digest_->hex;
}

namespace {

std::string run_describe(const fs::path& file) {
  return "run: plumb-describe " + file.string() + " " + schema_file(file).string();
}

// Fills the components; returns why the description cannot be used.
std::string read_schema(PluginCandidate& candidate, const PluginNote& note) {
  const fs::path file = schema_file(candidate.file);
  std::error_code error;
  if (!fs::exists(file, error)) return "schema missing: " + run_describe(candidate.file);
  try {
    const Value schema = read_json(file).value();
    const auto same = [&](const char* key, const std::string& wanted) { return schema.at(key).as_string() == wanted; };
    if (!same("id", note.id) || !same("version", note.version) || !same("fingerprint", note.fingerprint) ||
        !same("build_id", note.build_id)) {
      return "its schema describes another build: " + run_describe(candidate.file);
    }
    for (const Value& component : schema.at("components").as_list()) {
      candidate.components.push_back(parse_component(component));
    }
    for (const ComponentInfo& info : candidate.components) {
      if (const std::string wrong = wrong_description(info); !wrong.empty()) {
        return "its description of " + info.kind + " " + info.name + " cannot hold: " + wrong;
      }
    }
  } catch (const Error& caught) {
    return "its schema cannot be read (" + std::string(caught.what()) + "): " + run_describe(candidate.file);
  }
  return {};
}

}  // namespace

fs::path schema_file(const fs::path& plugin) {
  std::string name = plugin.filename().string();
  if (name.ends_with(kPluginSuffix)) name.resize(name.size() - std::strlen(kPluginSuffix));
  return plugin.parent_path() / (name + ".schema.json");
}

PluginCandidate inspect_plugin(const fs::path& file) {
  PluginCandidate out;
  out.file = file;
  if (!file.filename().string().ends_with(kPluginSuffix)) {
    out.refused = "a plugin's file name ends with ";
    out.refused += kPluginSuffix;
    return out;
  }
  out.refused = replaceable_by_others(file);
  if (!out.refused.empty()) return out;
  const Result<PluginNote> note = read_plugin_note(file);
  if (!note) {
    out.refused = note.error().what();
    return out;
  }
  out.id = note->id;
  out.version = note->version;
  out.licence = note->licence;
  out.summary = note->summary;
  out.status = note->status;
  out.fingerprint = note->fingerprint;
  const std::string schema_problem = read_schema(out, *note);
  out.refused = fingerprint_difference(note->fingerprint, host_fingerprint());
  if (out.refused.empty()) out.refused = schema_problem;
  return out;
}

}  // namespace plumb
