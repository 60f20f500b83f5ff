#include "framework/core/registry/registry.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "framework/core/registry/candidate.h"
#include "framework/core/registry/elf_note.h"
#include "framework/core/registry/loaded_plugin.h"

namespace plumb {

namespace fs = std::filesystem;

struct Registry::State {
  std::vector<PluginCandidate> candidates;
  std::vector<KnownComponent> components;  // of the candidates in use; points into them
  std::mutex mutex;
  std::map<const PluginCandidate*, std::unique_ptr<Registrar>> loaded;

  Registrar& registrar_of(const PluginCandidate& plugin);
  [[nodiscard]] const KnownComponent* find_exact(const std::string& kind, const std::string& name) const;
  [[nodiscard]] std::string renamed(const std::string& name) const;
};

namespace {

PluginCandidate refused(const fs::path& file, const std::string& why) {
  PluginCandidate out;
  out.file = file;
  out.refused = why;
  return out;
}

// The plugin files of a folder in the order of their names; what is wrong with the folder goes into `out`.
std::vector<fs::path> files_in(const fs::path& folder, std::vector<PluginCandidate>& out) {
  std::vector<fs::path> found;
  if (!folder.is_absolute()) {
    out.push_back(
        refused(folder, "plugin folders are absolute paths: the working directory must not decide what runs"));
    return found;
  }
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    if (at->path().filename().string().ends_with(kPluginSuffix)) found.push_back(at->path());
  }
  if (error) out.push_back(refused(folder, "the folder cannot be read: " + error.message()));
  std::sort(found.begin(), found.end());
  return found;
}

// One id, one content: the first of equal files is used, and different ones are all refused, because which of them runs
// must not hang on the order of folders.
void settle_conflicts(std::vector<PluginCandidate>& candidates) {
  std::map<std::string, std::vector<PluginCandidate*>> by_id;
  for (PluginCandidate& candidate : candidates) {
    if (candidate.used()) by_id[candidate.id].push_back(&candidate);
  }
  for (auto& [id, same_id] : by_id) {
    bool conflict = false;
    for (PluginCandidate* other : same_id) {
      if (other == same_id.front()) continue;
      if (other->sha256() == same_id.front()->sha256()) {
        other->same_as = same_id.front()->file.string();
      } else {
        conflict = true;
      }
    }
    if (!conflict) continue;
    for (PluginCandidate* candidate : same_id) {
      for (const PluginCandidate* other : same_id) {
        if (other->sha256() == candidate->sha256()) continue;
        candidate->refused = other->file.string() + " has the same id " + id + " and other content (version " +
                             other->version + " there, " + candidate->version + " here); remove one of them";
        candidate->same_as.clear();
        break;
      }
    }
  }
}

bool has_kind(const ComponentInfo& info, const std::string& kind) {
  if (kind.find('/') != std::string::npos) return info.kind == kind;
  return info.kind.compare(0, info.kind.find('/'), kind) == 0;
}

bool has_name(const ComponentInfo& info, const PluginCandidate& plugin, const std::string& name) {
  return info.name == name || plugin.id + ":" + info.name == name;
}

}  // namespace

std::string without_revision(const std::string& kind) {
  return kind.substr(0, kind.find('/'));
}

std::string KnownComponent::title() const {
  return without_revision(info.kind) + " `" + info.name + "` of " + plugin->id + " " + plugin->version;
}

Registry::Registry(std::shared_ptr<State> state) : state_(std::move(state)) {}
Registry::Registry(Registry&&) noexcept = default;
Registry::Registry(const Registry&) = default;
Registry::~Registry() = default;

Registry Registry::scan(const PluginSearch& search) {
  auto state = std::make_shared<State>();
  std::vector<fs::path> files = search.files;
  for (const fs::path& folder : search.folders) {
    const auto found = files_in(folder, state->candidates);
    files.insert(files.end(), found.begin(), found.end());
  }
  std::set<fs::path> seen;  // a folder named twice is no conflict
  for (const fs::path& file : files) {
    std::error_code error;
    const fs::path canonical = fs::canonical(file, error);
    if (error || seen.insert(canonical).second) state->candidates.push_back(inspect_plugin(fs::absolute(file)));
  }
  settle_conflicts(state->candidates);
  for (const PluginCandidate& candidate : state->candidates) {
    if (!candidate.used()) continue;
    for (const ComponentInfo& info : candidate.components) state->components.push_back({info, &candidate});
  }
  return Registry(std::move(state));
}

const std::vector<PluginCandidate>& Registry::candidates() const {
  return state_->candidates;
}

// The full name `OLD:component` under the id of the plugin at hand that replaces OLD, or empty. Notes are read again
// here, since few recipes name components in full and almost none by an old name.
std::string Registry::State::renamed(const std::string& name) const {
  const std::size_t colon = name.find(':');
  if (colon == std::string::npos) return {};
  const std::string id = name.substr(0, colon);
  for (const PluginCandidate& candidate : candidates) {
    if (!candidate.used() || candidate.id == id) continue;
    const Result<PluginNote> note = read_plugin_note(candidate.file);
    if (!note || std::find(note->replaces.begin(), note->replaces.end(), id) == note->replaces.end()) continue;
    return candidate.id + name.substr(colon);
  }
  return {};
}

const KnownComponent* Registry::find(const std::string& kind, const std::string& name) const {
  const KnownComponent* found = state_->find_exact(kind, name);
  if (found != nullptr) return found;
  const std::string renamed = state_->renamed(name);
  return renamed.empty() ? nullptr : state_->find_exact(kind, renamed);
}

const KnownComponent* Registry::State::find_exact(const std::string& kind, const std::string& name) const {
  const KnownComponent* found = nullptr;
  for (const KnownComponent& component : components) {
    if (!has_kind(component.info, kind) || !has_name(component.info, *component.plugin, name)) continue;
    if (found != nullptr) {
      const auto full = [](const KnownComponent& c) {
        return c.plugin->id + ":" + c.info.name + " (" + c.plugin->file.string() + ")";
      };
      throw Error(ErrorCode::plugin, "two plugins provide the " + without_revision(kind) + " `" + name +
                                         "`; write the full name of one: " + full(*found) + " or " + full(component));
    }
    found = &component;
  }
  return found;
}

std::vector<const KnownComponent*> Registry::all(const std::string& kind) const {
  std::vector<const KnownComponent*> out;
  for (const KnownComponent& component : state_->components) {
    if (has_kind(component.info, kind)) out.push_back(&component);
  }
  return out;
}

std::vector<std::string> Registry::names(const std::string& kind) const {
  const auto components = all(kind);
  std::map<std::string, int> uses;
  for (const KnownComponent* component : components) ++uses[component->info.name];
  std::vector<std::string> out;
  for (const KnownComponent* component : components) {
    const std::string& name = component->info.name;
    out.push_back(uses[name] == 1 ? name : component->plugin->id + ":" + name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string Registry::why_absent(const std::string& kind, const std::string& name) const {
  for (const PluginCandidate& candidate : state_->candidates) {
    if (candidate.refused.empty()) continue;
    for (const ComponentInfo& info : candidate.components) {
      if (has_kind(info, kind) && has_name(info, candidate, name)) {
        return candidate.file.string() + " provides it but is refused: " + candidate.refused;
      }
    }
  }
  return {};
}

const KnownComponent* Registry::claiming(const std::string& kind, const std::string& what) const {
  for (const KnownComponent& component : state_->components) {
    const auto& claims = component.info.claims;
    if (has_kind(component.info, kind) && std::find(claims.begin(), claims.end(), what) != claims.end())
      return &component;
  }
  return nullptr;
}

const KnownComponent& Registry::require(const std::string& kind, const std::string& name) const {
  if (const KnownComponent* component = find(kind, name); component != nullptr) return *component;
  const std::string why = why_absent(kind, name);
  throw Error(ErrorCode::plugin,
              "there is no " + without_revision(kind) + " `" + name + "`" + (why.empty() ? "" : "; " + why));
}

Registrar& Registry::State::registrar_of(const PluginCandidate& plugin) {
  const std::lock_guard lock(mutex);
  std::unique_ptr<Registrar>& registrar = loaded[&plugin];
  if (registrar == nullptr) registrar = load_plugin(plugin);
  return *registrar;
}

const ComponentEntry& Registry::load(const KnownComponent& component) const {
  for (const auto& entry : state_->registrar_of(*component.plugin).entries()) {
    if (entry->info.kind == component.info.kind && entry->info.name == component.info.name) return *entry;
  }
  // load_plugin compared them
  throw Error(ErrorCode::plugin, component.title() + " is not registered by its plugin");
}

}  // namespace plumb
