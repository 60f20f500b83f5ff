#include "framework/core/artifacts/artifact.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "framework/core/artifacts/content_hash.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/file_system_error.h"
#include "framework/core/artifacts/manifest.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

constexpr const char* work_name = "work";
constexpr std::string_view damaged_ending = ".damaged";

std::string short_key(const std::string& key) {
  return key.substr(0, 16);
}

Error damaged(const fs::path& folder, const std::string& what) {
  return {ErrorCode::data,
          fmt::format("{}: {}. The artifact is damaged and has to be made again", folder.string(), what)};
}

// Every recorded file is there with its recorded size.
Result<void> check_files(const fs::path& folder, const ArtifactManifest& manifest) {
  for (const ArtifactFile& file : manifest.files) {
    std::error_code failed;
    const std::uint64_t size = fs::file_size(folder / file.name, failed);
    if (failed) {
      return damaged(folder, file.target.empty()
                                 ? fmt::format("file {} is missing or cannot be read ({})", file.name, failed.message())
                                 : fmt::format("file {} was a link to {}, which is gone ({})", file.name, file.target,
                                               failed.message()));
    }
    if (size != file.size) {
      return damaged(folder, fmt::format("file {} has {} bytes, its manifest says {}", file.name, size, file.size));
    }
  }
  return {};
}

// Bytes too, by their hashes.
Result<void> check_content(const Artifact& artifact, const HashOfFile& hash_of) {
  for (const ArtifactFile& file : artifact.manifest.files) {
    const Result<std::string> hash = hash_of(artifact.folder / file.name);
    if (!hash) return damaged(artifact.folder, hash.error().what());
    if (*hash != file.sha256) {
      return damaged(artifact.folder,
                     fmt::format("the content of file {} has changed since it was made: its SHA-256 is "
                                 "{}…, its manifest says {}…",
                                 file.name, hash->substr(0, 12), file.sha256.substr(0, 12)));
    }
  }
  return {};
}

// What a link names lies outside, may be large, and was hashed when the run was planned.
Result<ArtifactFile> record(const fs::path& folder, const fs::directory_entry& entry, ContentHashes& known) {
  ArtifactFile file;
  file.name = entry.path().lexically_relative(folder).generic_string();
  if (!entry.is_regular_file()) {
    return Error(
        ErrorCode::run_failed,
        fmt::format("{} is neither a file nor a link to one; an artifact holds only these", entry.path().string()));
  }
  file.size = entry.file_size();
  if (entry.is_symlink()) {
    file.target = fs::canonical(entry.path()).string();
  } else {
    sync_file(entry.path());
  }
  Result<std::string> hash = entry.is_symlink() ? known.of(entry.path()) : sha256_of_file(entry.path());
  if (!hash) return hash.error();
  file.sha256 = *hash;
  return file;
}

// Hashes every file and makes files and folders durable. The work folder is left out: it goes once the manifest stands.
Result<std::vector<ArtifactFile>> seal(const fs::path& folder, ContentHashes& known) {
  std::vector<ArtifactFile> files;
  std::vector<fs::path> folders{folder}, temporaries;
  for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->path() == folder / work_name) {
      entry.disable_recursion_pending();
    } else if (is_abandoned_temporary(entry->path())) {
      temporaries.push_back(entry->path());
    } else if (entry->is_directory() && !entry->is_symlink()) {
      folders.push_back(entry->path());
    } else if (entry->path() != folder / manifest_name) {
      Result<ArtifactFile> file = record(folder, *entry, known);
      if (!file) return file.error();
      files.push_back(std::move(*file));
    }
  }
  for (const fs::path& temporary : temporaries) fs::remove(temporary);
  for (const fs::path& inner : folders) sync_folder(inner);
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

bool holds_a_file(const fs::path& folder) {
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, absent)) {
    if (!entry.is_directory()) return true;
  }
  return false;
}

}  // namespace

struct ArtifactWriter::State {
  fs::path root, partial, final;
  std::string key, type;
  KeyLock lock;
  bool resumed = false;
  bool committed = false;
  std::optional<Artifact> finished;
  std::string damage;

  // The last step of a commit. Once the manifest stands in the partial folder nothing is lost any more: an attempt that
  // died before or in this step is completed by the next.
  Result<void> move_in_place() const {
    fs::remove_all(partial / work_name);
    if (::rename(partial.c_str(), final.c_str()) != 0) return disk_error("create", final, errno);
    sync_folder(root);
    return {};
  }

  // What is wrong with it is what to look at, so a damaged artifact is kept beside the one that takes its place.
  Result<void> set_aside(const Error& why) {
    const fs::path place = final.string() + std::string(damaged_ending);
    fs::remove_all(place);
    if (::rename(final.c_str(), place.c_str()) != 0) return disk_error("set aside", final, errno);
    sync_folder(root);
    damage = fmt::format("{}; the damaged one is kept as {}", why.what(), place.filename().string());
    return {};
  }

  Result<void> take_up_earlier_attempt() {
    resumed = holds_a_file(partial);
    if (fs::exists(partial / manifest_name)) {
      Result<ArtifactManifest> manifest = read_manifest(partial);
      if (manifest && manifest->key == key && check_files(partial, *manifest)) {
        if (Result<void> moved = move_in_place(); !moved) return moved;
        finished = Artifact{final, std::move(*manifest)};
        return {};
      }
      fs::remove(partial / manifest_name);
    }
    fs::create_directories(partial / work_name);
    return {};
  }
};

ArtifactWriter::ArtifactWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArtifactWriter::ArtifactWriter(ArtifactWriter&&) noexcept = default;
ArtifactWriter::~ArtifactWriter() = default;

const fs::path& ArtifactWriter::folder() const {
  return state_->partial;
}
fs::path ArtifactWriter::work_folder() const {
  return state_->partial / work_name;
}
bool ArtifactWriter::resumed() const {
  return state_->resumed;
}
const std::string& ArtifactWriter::damage() const {
  return state_->damage;
}
const Artifact* ArtifactWriter::finished() const {
  return state_->finished ? &*state_->finished : nullptr;
}

Result<Artifact> ArtifactWriter::commit(ArtifactManifest manifest) {
  if (state_->finished || state_->committed) {
    throw Error(ErrorCode::run_failed, fmt::format("artifact {} is committed twice", state_->final.string()));
  }
  try {
    ContentHashes known(state_->root / contents_name);
    Result<std::vector<ArtifactFile>> files = seal(state_->partial, known);
    if (!files) return files.error();
    known.save();
    manifest.key = state_->key;
    manifest.type = state_->type;
    manifest.files = std::move(*files);
    if (Result<void> written = write_file(state_->partial / manifest_name, manifest_text(manifest)); !written) {
      return written.error();
    }
    if (Result<void> moved = state_->move_in_place(); !moved) return moved.error();
  } catch (const fs::filesystem_error& error) {
    return disk_error("write", error);
  } catch (const Error& error) {
    return error;
  }
  state_->committed = true;
  return Artifact{state_->final, std::move(manifest)};
}

ArtifactStore::ArtifactStore(const fs::path& root) : root_(fs::absolute(root).lexically_normal()) {}

Result<std::optional<Artifact>> ArtifactStore::find(const std::string& key, const HashOfFile& hash_of) const {
  const std::string ending = "-" + short_key(key);
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(root_, absent)) {
    if (!entry.path().filename().string().ends_with(ending)) continue;
    Result<ArtifactManifest> manifest = read_manifest(entry.path());
    if (!manifest) {
      std::error_code ignored;
      if (fs::exists(entry.path() / manifest_name, ignored)) return manifest.error();
      return damaged(entry.path(), fmt::format("file {} is missing", manifest_name));
    }
    if (manifest->key != key) continue;
    if (Result<void> checked = check_files(entry.path(), *manifest); !checked) return checked.error();
    Artifact artifact{entry.path(), std::move(*manifest)};
    if (hash_of) {
      if (Result<void> checked = check_content(artifact, hash_of); !checked) return checked.error();
    }
    return std::optional(std::move(artifact));
  }
  return std::optional<Artifact>();
}

Result<ArtifactWriter> ArtifactStore::begin(const std::string& key, const std::string& type,
                                            const KeepWaiting& keep_waiting) {
  const std::string name = type + "-" + short_key(key);
  try {
    fs::create_directories(root_);
    Result<KeyLock> lock = KeyLock::take(root_ / (name + ".lock"), keep_waiting);
    if (!lock) return lock.error();
    auto state = std::make_unique<ArtifactWriter::State>(
        ArtifactWriter::State{root_, root_ / (name + ".partial"), root_ / name, key, type, std::move(*lock)});
    Result<std::optional<Artifact>> finished = find(key, sha256_of_file);
    if (finished) {
      state->finished = std::move(*finished);
    } else if (!fs::exists(state->final)) {
      return finished.error();
    } else if (Result<void> moved = state->set_aside(finished.error()); !moved) {
      return moved.error();
    }
    if (!state->finished) {
      if (Result<void> taken_up = state->take_up_earlier_attempt(); !taken_up) return taken_up.error();
    }
    return ArtifactWriter(std::move(state));
  } catch (const fs::filesystem_error& error) {
    return disk_error("write", error);
  }
}

std::vector<ArtifactManifest> ArtifactStore::all() const {
  std::vector<ArtifactManifest> out;
  std::error_code absent;
  for (const fs::directory_entry& entry : fs::directory_iterator(root_, absent)) {
    const std::string ending = entry.path().extension().string();
    if (ending == ".partial" || ending == ".lock" || ending == damaged_ending) continue;
    Result<ArtifactManifest> manifest = read_manifest(entry.path());
    if (manifest) out.push_back(std::move(*manifest));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

}  // namespace plumb
