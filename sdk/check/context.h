// What a conformance test works with, and the tables that the groups of tests are.
//
//   void indices(Context& c) {
//     Made made = c.make();
//     auto& policy = made.as<SelectionPolicy>();
//     require(index < count, "pair 3: index 7 of 5 responses");
//   }
//
// Thread contract: one thread, except where a test starts its own.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plumb/abi.h"
#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/language_models.h"
#include "plumb/policy_texts.h"
#include "plumb/random.h"
#include "plumb/registrar.h"
#include "sdk/check/check.h"

namespace plumb::check {

struct Failure {
  std::string message;
};
struct Skip {
  std::string reason;
};
inline void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Failure{otherwise};
}

class Context;

struct Test {
  std::string name, what;
  void (*run)(Context&);
  bool gate = false;  // what follows builds on it
};

// A component and what it refers to.
struct Made {
  std::shared_ptr<void> backing;
  std::unique_ptr<Component> component;
  template <class T>
  [[nodiscard]] T& as() {
    return static_cast<T&>(*component);
  }
};

// How one kind of component is made and used.
struct Kind {
  std::string kind;   // "selection-policy/1"
  std::string group;  // of its tests: "selection"
  // Uses the component as a run would and returns, exactly, all that it answered.
  std::string (*use)(Context&, Component&);
  Made (*make)(Context&, const ComponentEntry&, const Value& params);  // null: nothing special
  std::vector<Test> tests;
};

// Answers and rewards that depend on the texts alone.
class FixedModels final : public LanguageModels, public PolicyTexts {
 public:
  explicit FixedModels(const Host& host) : host_(host) {}
  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& options) override;
  std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions& options) override;
  std::unique_ptr<TextsHandle> open_texts(const std::string& folder) override;

 private:
  const Host& host_;
};

class CheckHost final : public Host {
 public:
  void log(LogLevel, std::string_view) override {}
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return cancel; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return scratch; }
  [[nodiscard]] std::string recipe_folder() const override { return folder; }
  [[nodiscard]] void* query(std::string_view service) override {
    if (service == PolicyTexts::service) return static_cast<PolicyTexts*>(&models_);
    return service == LanguageModels::service ? static_cast<LanguageModels*>(&models_) : nullptr;
  }
  bool cancel = false;
  std::string folder = ".", scratch = "/tmp";

 private:
  FixedModels models_{*this};
};

class Context {
 public:
  Context(const Subject& about, const Options& chosen, const Kind* of_kind, const ComponentInfo* tested);

  const Subject& subject;
  const Options& options;
  const Kind* kind;                // null: a test of the whole file
  const ComponentInfo* component;  // likewise
  CheckHost host;
  bool watched = false;        // what is made is behind the debug host
  bool exit_normally = false;  // the child leaves through exit(), so that destructors of static objects run

  // Each opens the plugin as far as needed, once, and throws Failure.
  void* library();
  const abi::PluginEntry& entry();
  Registrar& registrar();
  const ComponentEntry& component_entry();

  [[nodiscard]] Random random() const { return Random(options.seed); }
  // The component's parameters: those that the user gave, values made up for what is required.
  [[nodiscard]] const Value& params() const { return params_; }
  [[nodiscard]] const Value& config() const { return config_; }  // a model's; null unless the user gave one

  Made make() { return make(params_); }
  Made make(const Value& params);
  std::string use(Made& made) { return kind->use(*this, *made.component); }
  std::string make_and_use();
  [[nodiscard]] bool needs(const std::string& what) const;

 private:
  Made make_from(const ComponentEntry& entry, const Value& params);
  void* library_ = nullptr;
  const abi::PluginEntry* entry_ = nullptr;
  std::unique_ptr<Registrar> registrar_;
  Value params_ = Value::map(), config_;
};

// Registers what the plugin has; the text of the error goes into the Failure.
std::unique_ptr<Registrar> register_components(const abi::PluginEntry& entry);

// What an exception says, with its type: for whatever comes out of a plugin. Call inside a catch block.
std::string caught();

// A number without loss, and with a short text for people.
std::string exact(double value);

// The groups.
std::vector<Test> file_tests();
std::vector<Test> load_tests();
std::vector<Test> parameter_tests();
std::vector<Test> component_tests();  // creates, then (after the kind's `works`) the rest
std::vector<Test> lifecycle_tests();
Kind selection_kind();
Kind reward_kind();
Kind judge_kind();
Kind evaluator_kind();
Kind tokenizer_kind();
Kind data_source_kind();
Kind generator_kind();
Kind stage_kind();

// The kinds that see tensors, in a library of their own that is opened when a plugin needs it.
struct TensorKit {
  std::vector<Kind> kinds;
  void (*quieten)();                                        // one thread, pools and caches started
  void (*state)(std::map<std::string, std::string>& into);  // random state, gradient mode …
};
void want_tensor_kit();
const TensorKit* open_tensor_kit();  // null until it is wanted, and where there is none
extern "C" const TensorKit* plumb_check_tensor_kit();

}  // namespace plumb::check
