// Where a plugin registers its components. Plugin authors meet it inside PLUMB_PLUGIN:
//
//   PLUMB_PLUGIN(r, "org.example.gap", "1.0.0", "MIT", "by gap") { r.add<RewardGap>("gap").yields({"pairs"}); }
//
// Thread contract: [setup].
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"

namespace plumb {
inline namespace v1 {

// What follows from an optimizer's class (tensor/optimizer.h): its registration starts from it and is checked against it.
struct BatchInfo {
  std::string by;                   // the class: "PairwiseOptimizer"; empty for what is no optimizer
  std::string of;                   // what a batch holds: "pairs"
  std::vector<std::string> takes;   // artifact types that such batches are made of
  std::vector<std::string> needs;   // what an optimizer of the class may ask for
  std::vector<std::string> yields;  // artifact types that training makes beside models
};

// Everything the framework knows of a component without making one. All but the functions is in NAME.schema.json.
struct ComponentInfo {
  std::string kind;  // "selection-policy/1"
  std::string name;  // "reward-gap"
  std::string doc, source;
  std::vector<ParamInfo> params;
  std::vector<std::string> yields;  // artifact types it produces: data sources, selection policies
  std::vector<std::string> takes;  // artifact types it consumes: optimizers, all that its class can unless it says less
  std::vector<std::string> needs;  // "reference", "reward-model", "judge", "annotation", "values" …
  std::vector<std::string> claims;  // files (tokenizers) or HF model_type values (models) it recognises
  BatchInfo batch;                  // of an optimizer's class
};
Value describe(const ComponentInfo& info);
ComponentInfo parse_component(const Value& value);

struct ComponentEntry {
  ComponentInfo info;
  // Throws Error(recipe) for bad parameters, whatever the constructor throws otherwise. `extra` is a kind's own
  // construction argument: the ModelPlan of a model (tensor/model.h), null for every other kind.
  std::function<std::unique_ptr<Component>(const Value& params, Host& host, void* extra)> make;
  // Runs the declaration's checks without making anything; throws Error(recipe).
  std::function<void(const Value& params)> check;
};

class Registrar {
 public:
  // Fluent additions to the entry just added.
  class Added {
   public:
    explicit Added(ComponentEntry& entry) : entry_(&entry) {}
    Added& yields(std::vector<std::string> types) {
      entry_->info.yields = std::move(types);
      return *this;
    }
    Added& takes(std::vector<std::string> types) {
      entry_->info.takes = std::move(types);
      return *this;
    }
    Added& needs(std::vector<std::string> things) {
      entry_->info.needs = std::move(things);
      return *this;
    }
    Added& claims(std::vector<std::string> what) {
      entry_->info.claims = std::move(what);
      return *this;
    }

   private:
    ComponentEntry* entry_;
  };

  // T: a component with `struct Settings`, `static Params<Settings> params()` and either T(const Settings&, Host&) or,
  // for kinds with a construction argument, T(const Settings&, T::Plan&).
  template <class T>
  Added add(std::string name) {
    ComponentEntry entry;
    auto declared = std::make_shared<Params<typename T::Settings>>(T::params());
    entry.info.kind = T::kind;
    entry.info.name = std::move(name);
    entry.info.doc = declared->doc();
    entry.info.source = declared->source();
    entry.info.params = declared->infos();
    if constexpr (requires { T::batch_info(); }) {
      entry.info.batch = T::batch_info();
      entry.info.takes = entry.info.batch.takes;
      entry.info.yields = entry.info.batch.yields;
    }
    entry.make = [declared](const Value& params, Host& host, void* extra) -> std::unique_ptr<Component> {
      if constexpr (requires { typename T::Plan; }) {
        static_cast<void>(host);
        return std::make_unique<T>(declared->parse(params), *static_cast<typename T::Plan*>(extra));
      } else {
        static_cast<void>(extra);
        return std::make_unique<T>(declared->parse(params), host);
      }
    };
    entry.check = [declared](const Value& params) { static_cast<void>(declared->parse(params)); };
    return Added(append(std::move(entry)));
  }

  [[nodiscard]] const std::vector<std::unique_ptr<ComponentEntry>>& entries() const { return entries_; }

 private:
  ComponentEntry& append(ComponentEntry entry);  // throws Error(plugin) when kind and name exist already
  std::vector<std::unique_ptr<ComponentEntry>> entries_;
};

}  // namespace v1
}  // namespace plumb
