// The engine library (models, sampling, training), opened when a stage has to run and not before: loading LibTorch
// takes longer than everything else a command does.
//
//   const StageBody& body = Engine::open().body("sample");
//
// Thread contract: [any].
#pragma once

#include <memory>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/door/answering.h"
#include "plumb/language_models.h"

namespace plumb {

class Engine {
 public:
  // Opens libplumb_engine.so beside this library, once. Sets OpenMP's waiting policy first (idle threads sleep), unless
  // the environment already does. Throws Error(plugin) when it cannot be opened.
  static Engine& open();
  static Engine* if_open();  // null before open()

  [[nodiscard]] const StageBody& body(const std::string& kind) const;
  [[nodiscard]] std::unique_ptr<LanguageModels> language_models(const Registry& registry, Host& host) const;
  // A model folder to talk to (door/answering.h).
  [[nodiscard]] std::unique_ptr<Answerer> answerer(const OpenAnswerer& how, const Registry& registry, Host& host) const;
  // While true, LibTorch computes in the calling thread alone: for a thread that is itself one of many.
  void compute_in_one_thread(bool alone) const;
  // How many threads LibTorch computes with in this thread.
  [[nodiscard]] int threads() const;
  void set_threads(int count) const;
  // A C symbol of the engine, for commands that use it without stages.
  [[nodiscard]] void* symbol(const char* name) const;

 private:
  Engine();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plumb
