// An artifact: a folder of files with a manifest, addressed by what made it.
//
//   ArtifactStore store("runs/.artifacts");
//   if (auto found = store.find(key)) return *found;
//   ArtifactWriter writer = store.begin(key, "responses").value();   // resumes a partial folder of the same key
//   if (writer.finished() != nullptr) return *writer.finished();     // made by another process while begin waited
//   … write files under writer.folder(), durable progress under writer.work_folder() …
//   Artifact artifact = writer.commit(manifest).value();        // hash, fsync, manifest last, rename
//
// The key is the SHA-256 of everything that decides the content: stage kind and revision, resolved parameters, the keys
// of the inputs, the plugins used, the seed. Two runs with the same key share the folder.
//
//   <root>/responses-0123456789abcdef/           the artifact; artifact.json is its manifest
//   <root>/responses-0123456789abcdef.partial/   unfinished; work/ holds what only an unfinished one needs
//   <root>/responses-0123456789abcdef.lock       held by the process that writes it, which it names (key_lock.h); stays
//   <root>/responses-0123456789abcdef.damaged/   its files were no longer what the manifest says when it was made again
//
// Thread contract: the store may be used from any thread and from several processes; one process writes a key at a time
// (a lock file), the next waits and then finds it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/artifacts/key_lock.h"
#include "framework/result.h"
#include "plumb/value.h"

namespace plumb {

// Artifact types, as recipes and manifests spell them.
namespace artifact_type {
inline constexpr const char* texts = "texts";
inline constexpr const char* prompts = "prompts";
inline constexpr const char* demonstrations = "demonstrations";
inline constexpr const char* preferences = "preferences";
inline constexpr const char* tokenizer = "tokenizer";
inline constexpr const char* model = "model";
inline constexpr const char* reward_model = "reward-model";
inline constexpr const char* responses = "responses";
inline constexpr const char* scored = "scored";
inline constexpr const char* pairs = "pairs";
inline constexpr const char* metrics = "metrics";
inline constexpr const char* report = "report";
}  // namespace artifact_type

struct ArtifactFile {
  std::string name;  // relative to the folder
  std::uint64_t size = 0;
  std::string sha256;
  std::string target;  // of a symbolic link (a model imported by path): the file whose size and hash these are
};

struct PluginUse {
  std::string id, version, sha256;  // sha256 of the library file
  std::string component;            // "selection-policy/1 reward-gap"
};

struct ArtifactManifest {
  std::string key, type;
  std::string recipe;  // that made it; empty: not recorded
  std::string stage;   // its name there
  std::string stage_kind;
  int revision = 0;                                           // of the stage's code: bumped when its output changes
  Value params;                                               // resolved
  std::vector<std::pair<std::string, std::string>> contents;  // dotted path parameter -> SHA-256 of what it names
  std::vector<std::pair<std::string, std::string>> inputs;    // parameter (or parameter/name) -> key of that artifact
  std::vector<PluginUse> plugins;
  std::optional<std::uint64_t> seed;  // the run's, when the stage uses it
  std::vector<ArtifactFile> files;    // filled by commit
  Value summary;                      // what `plumb show` prints: counts, losses, δ …
  double seconds = 0;
  std::uint64_t peak_bytes = 0;
};

struct Artifact {
  std::filesystem::path folder;
  ArtifactManifest manifest;
};

class ArtifactWriter {
 public:
  ArtifactWriter(ArtifactWriter&&) noexcept;
  ~ArtifactWriter();  // without commit the partial folder stays, for the next attempt
  [[nodiscard]] const std::filesystem::path& folder() const;  // becomes the artifact
  [[nodiscard]] std::filesystem::path work_folder() const;    // checkpoints, partial samples; dropped by commit
  [[nodiscard]] bool resumed() const;                         // an earlier attempt left something
  // The artifact, when another process committed it while begin() waited, or an earlier attempt died in the last step
  // of its commit; then there is nothing to write. Else null.
  [[nodiscard]] const Artifact* finished() const;
  // What was wrong with an earlier artifact of this key, which begin() set aside; empty: nothing was.
  [[nodiscard]] const std::string& damage() const;
  Result<Artifact> commit(ArtifactManifest manifest);

 private:
  friend class ArtifactStore;
  struct State;
  explicit ArtifactWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

using HashOfFile = std::function<Result<std::string>(const std::filesystem::path&)>;

class ArtifactStore {
 public:
  explicit ArtifactStore(const std::filesystem::path& root);
  // A committed artifact whose files have the recorded sizes, and with `hash_of` the recorded content; a damaged one is
  // an error that names the file.
  [[nodiscard]] Result<std::optional<Artifact>> find(const std::string& key, const HashOfFile& hash_of = {}) const;
  // A damaged artifact of the key is set aside. While another process writes the key, waits and calls `keep_waiting`
  // about ten times a second with who that is; when that says false, gives up with Error(interrupted).
  [[nodiscard]] Result<ArtifactWriter> begin(const std::string& key, const std::string& type,
                                             const KeepWaiting& keep_waiting = {});
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  // Every committed artifact: `plumb plan` compares near misses to say why a stage runs again.
  [[nodiscard]] std::vector<ArtifactManifest> all() const;

 private:
  std::filesystem::path root_;
};

Result<ArtifactManifest> read_manifest(const std::filesystem::path& folder);

}  // namespace plumb
