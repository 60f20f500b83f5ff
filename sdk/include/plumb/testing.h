// Fixtures for a plugin's own unit tests. A test program is built from the plugin's objects (plumb_add_plugin … TESTS),
// so it reaches components exactly as the framework does: through the entry.
//
//   plumb::testing::PluginUnderTest plugin;
//   auto policy = plugin.make<plumb::SelectionPolicy>("reward-gap", plumb::Value::map({{"eta", 0.9}}));
//   auto group = plumb::testing::scored_group("p1", {0.1, 2.5, -1.0});
//
// Thread contract: [setup].
#pragma once

#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "plumb/abi.h"
#include "plumb/error.h"
#include "plumb/host.h"
#include "plumb/language_models.h"
#include "plumb/records.h"
#include "plumb/registrar.h"

extern "C" const plumb::abi::PluginEntry* plumb_plugin_entry_v1();

namespace plumb::testing {

// A host that keeps what it is told and runs loops in the calling thread.
class FakeHost final : public Host {
 public:
  void log(LogLevel, std::string_view message) override { messages.emplace_back(message); }
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return cancel; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return scratch; }
  [[nodiscard]] std::string recipe_folder() const override { return recipe; }
  [[nodiscard]] void* query(std::string_view service) override {
    return service == LanguageModels::service ? models : nullptr;
  }

  LanguageModels* models = nullptr;  // the test's own
  std::vector<std::string> messages;
  std::string scratch = "/tmp", recipe = ".";
  bool cancel = false;
};

class PluginUnderTest {
 public:
  PluginUnderTest() {
    char error[512] = {};
    if (plumb_plugin_entry_v1()->open(&registrar, error, sizeof error) != 0) throw Error(ErrorCode::plugin, error);
  }
  template <class T>
  std::unique_ptr<T> make(const std::string& name, const Value& params = Value::map(), void* extra = nullptr) {
    for (const auto& entry : registrar.entries()) {
      if (entry->info.name == name && entry->info.kind == T::kind) {
        return std::unique_ptr<T>(static_cast<T*>(entry->make(params, host, extra).release()));
      }
    }
    throw Error(ErrorCode::plugin, "the plugin under test has no " + std::string(T::kind) + " named " + name);
  }
  Registrar registrar;
  FakeHost host;
};

// A group of responses "a", "b", … with the given rewards.
inline ResponseGroup scored_group(const std::string& prompt_id, std::initializer_list<double> rewards) {
  ResponseGroup group;
  group.prompt = {prompt_id, {{"user", "question " + prompt_id}}, {}};
  for (double reward : rewards) {
    Response response;
    response.text = std::string(1, static_cast<char>('a' + group.responses.size()));
    response.reward = reward;
    group.responses.push_back(std::move(response));
  }
  return group;
}

}  // namespace plumb::testing
