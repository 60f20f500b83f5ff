#include "framework/core/door/engine.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cstdlib>

#include "framework/core/door/bodies.h"

namespace plumb {

namespace {

std::atomic<Engine*> opened{nullptr};

}  // namespace

struct Engine::State {
  boost::dll::shared_library library;
  const StageBodies* bodies = nullptr;
  void (*compute_in_one_thread)(bool) = nullptr;
  int (*threads)(int) = nullptr;
};

Engine& Engine::open() {
  // Never closed: LibTorch does not survive being unloaded.
  static Engine* const engine = [] {
    auto* made = new Engine;
    opened = made;
    return made;
  }();
  return *engine;
}

Engine* Engine::if_open() {
  return opened;
}

Engine::Engine() : state_(std::make_unique<State>()) {
  // libgomp's threads spin when they wait, which costs more than it saves as soon as anything else runs.
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  ::setenv("GOMP_SPINCOUNT", "0", 0);
  const auto file = boost::dll::this_line_location().parent_path() / "libplumb_engine.so";
  try {
    state_->library.load(file, boost::dll::load_mode::rtld_now);
    state_->bodies = state_->library.get<const StageBodies*()>("plumb_engine_stage_bodies")();
    state_->compute_in_one_thread = &state_->library.get<void(bool)>("plumb_engine_compute_in_one_thread");
    state_->threads = &state_->library.get<int(int)>("plumb_engine_threads");
  } catch (const std::exception& error) {
    throw Error(ErrorCode::plugin, fmt::format("the engine library {} cannot be opened: {}. Build or install it again, "
                                               "with LibTorch beside it in libtorch/lib",
                                               file.string(), error.what()));
  }
}

const StageBody& Engine::body(const std::string& kind) const {
  const auto found = state_->bodies->find(kind);
  if (found == state_->bodies->end()) {
    throw Error(ErrorCode::plugin, fmt::format("the engine library cannot run stages of kind `{}`", kind));
  }
  return found->second;
}

std::unique_ptr<LanguageModels> Engine::language_models(const Registry& registry, Host& host) const {
  using Make = LanguageModels*(const Registry&, Host&);
  return std::unique_ptr<LanguageModels>(
      state_->library.get<Make>("plumb_engine_make_language_models")(registry, host));
}

std::unique_ptr<Answerer> Engine::answerer(const OpenAnswerer& how, const Registry& registry, Host& host) const {
  using Open = Answerer*(const OpenAnswerer&, const Registry&, Host&);
  return std::unique_ptr<Answerer>(state_->library.get<Open>("plumb_engine_open_answerer")(how, registry, host));
}

void Engine::compute_in_one_thread(bool alone) const {
  state_->compute_in_one_thread(alone);
}

int Engine::threads() const {
  return state_->threads(0);
}

void Engine::set_threads(int count) const {
  state_->threads(count);
}

void* Engine::symbol(const char* name) const {
  return reinterpret_cast<void*>(&state_->library.get<char>(name));
}

}  // namespace plumb
