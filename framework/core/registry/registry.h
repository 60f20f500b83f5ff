// The plugins at hand: where they were found, why some were refused, and the components they provide.
//
//   Registry registry = Registry::scan(search);            // reads notes and schema files; runs no plugin code
//   const KnownComponent& known = registry.require("selection-policy", "reward-gap");
//   const ComponentEntry& entry = registry.load(known);    // the library, on first use
//
// Components are made by components/make.h, which decides where they run. A library is loaded at most once and never unloaded: what a component left behind (a type, a thread's destructor) may
// be called until the process ends.
// Thread contract: scan is [setup]; everything else is [any] (loading is locked inside).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plumb/registrar.h"

namespace plumb {

struct PluginSearch {
  std::vector<std::filesystem::path> files;    // --plugin and the recipe's `plugins:`
  std::vector<std::filesystem::path> folders;  // PLUMB_PLUGIN_PATH, user data folder, install prefix; in order
  // Folders from the environment and from where this library lies; never the working directory.
  static PluginSearch standard();
};

// A plugin file, or a place where one was expected.
struct PluginCandidate {
  std::filesystem::path file;
  std::string id, version, licence, summary, fingerprint;
  std::string status;                     // "stable", "experimental", or empty when the plugin says none
  std::string refused;                    // why it is not used, field by field; empty when it is
  std::string same_as;                    // it has the content of this file, which is used instead; empty otherwise
  std::vector<ComponentInfo> components;  // of a refused one too, as far as they are known

  [[nodiscard]] bool used() const { return refused.empty() && same_as.empty(); }
  // Of the file, lower-case hex; read on first use. [any] Throws Error(plugin) when the file is gone.
  [[nodiscard]] std::string sha256() const;

 private:
  struct Digest;
  std::shared_ptr<Digest> digest_ = make_digest();
  static std::shared_ptr<Digest> make_digest();
};

struct KnownComponent {
  ComponentInfo info;
  const PluginCandidate* plugin;

  [[nodiscard]] std::string title() const;  // "judge `gold` of org.example.gold 1.0.0"
};

// "judge" of "judge/1".
std::string without_revision(const std::string& kind);

class Registry {
 public:
  static Registry scan(const PluginSearch& search);
  Registry(Registry&&) noexcept;
  Registry(const Registry&);  // the same plugins: what one loads is loaded for both
  ~Registry();

  [[nodiscard]] const std::vector<PluginCandidate>& candidates() const;
  // `kind` without revision, or with it ("selection-policy/1") when no other will do; `name` short ("reward-gap") or
  // full ("org.example.reward-gap:reward-gap"). Null when absent; throws Error(plugin) naming the files when a short
  // name is ambiguous. Refused plugins provide nothing.
  [[nodiscard]] const KnownComponent* find(const std::string& kind, const std::string& name) const;
  [[nodiscard]] std::vector<const KnownComponent*> all(const std::string& kind) const;
  // Names that find() knows: short where unique, else full. Sorted.
  [[nodiscard]] std::vector<std::string> names(const std::string& kind) const;
  // For a component that find() does not know: which refused file would provide it and why it was refused, or empty.
  [[nodiscard]] std::string why_absent(const std::string& kind, const std::string& name) const;
  // The component of `kind` that claims a file name or model_type, or null.
  [[nodiscard]] const KnownComponent* claiming(const std::string& kind, const std::string& what) const;

  // What find() knows; throws Error(plugin) when it is absent, with why.
  [[nodiscard]] const KnownComponent& require(const std::string& kind, const std::string& name) const;
  // The code of a component of this registry, its plugin loaded into this process. Throws Error(plugin) when the
  // library does not load or registers something else than its description says.
  [[nodiscard]] const ComponentEntry& load(const KnownComponent& component) const;

 private:
  struct State;
  explicit Registry(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace plumb
