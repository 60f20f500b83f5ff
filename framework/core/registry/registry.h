// The plugins at hand: where they were found, why some were refused, and the components they provide.
//
//   Registry registry = Registry::scan(search);            // reads notes and schema files; runs no plugin code
//   const KnownComponent* c = registry.find("selection-policy", "reward-gap");
//   auto policy = registry.make<SelectionPolicy>("reward-gap", params, host);   // loads the library on first use
//
// A library is loaded at most once and never unloaded: what a component left behind (a type, a thread's destructor) may
// be called until the process ends.
// Thread contract: scan is [setup]; everything else is [any] (loading is locked inside).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/result.h"
#include "plumb/component.h"
#include "plumb/host.h"
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
};

class Registry {
 public:
  static Registry scan(const PluginSearch& search);
  Registry(Registry&&) noexcept;
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

  // Loads the plugin if needed, makes the component. Whatever the plugin throws comes out as rethrow_as_plugin_error
  // says, with the plugin, the component and `host`'s stage named; bad parameters stay Error(recipe).
  [[nodiscard]] std::unique_ptr<Component> make_component(const std::string& kind, const std::string& name,
                                                          const Value& params, Host& host, void* extra = nullptr) const;
  template <class T>
  [[nodiscard]] std::unique_ptr<T> make(const std::string& name, const Value& params, Host& host,
                                        void* extra = nullptr) const {
    return std::unique_ptr<T>(static_cast<T*>(make_component(T::kind, name, params, host, extra).release()));
  }
  // Runs a component's own parameter rules (needs the code); returns the message or empty.
  [[nodiscard]] std::string check_params(const std::string& kind, const std::string& name, const Value& params) const;

 private:
  struct State;
  explicit Registry(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Inside a catch block: throws what was caught as an Error that names the component and, unless empty, the stage. An
// Error keeps its code, out of memory is run_failed, anything else is plugin. What is no fault (Cancelled) goes on
// unchanged.
[[noreturn]] void rethrow_as_plugin_error(const std::string& component, const std::string& stage);

// Calls a plugin's method and turns whatever it throws into an Error that names the component and the stage.
template <class F>
auto guarded(const std::string& component, const std::string& stage, F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (...) {
    rethrow_as_plugin_error(component, stage);
  }
}

}  // namespace plumb
