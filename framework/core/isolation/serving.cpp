#include "framework/core/isolation/serving.h"

#include <sys/prctl.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>

#include "framework/core/door/engine.h"
#include "framework/core/isolation/component_process.h"
#include "framework/core/isolation/remote_host.h"
#include "framework/core/isolation/thrown.h"
#include "framework/core/registry/candidate.h"
#include "framework/core/registry/guarded.h"
#include "framework/core/registry/loaded_plugin.h"
#include "sdk/debug_host/debug_host.h"

namespace plumb {
namespace {

class Serving {
 public:
  explicit Serving(int socket) : connection_(socket) {}

  void run() {
    for (;;) {
      const Frame work = connection_.next_work();
      try {
        connection_.tell(FrameKind::result, work.id, done(work));
      } catch (...) {
        connection_.tell(FrameKind::thrown, work.id,
                         packed(caught("its process (plugin " + subject_.id + " " + subject_.version + ")")));
      }
      if (work.kind == FrameKind::end) return;
    }
  }

 private:
  std::string done(const Frame& work) {
    WireReader in(work.payload);
    if (work.kind == FrameKind::make) return make(in);
    if (work.kind == FrameKind::examine) return examine(in);
    if (work.kind == FrameKind::call) return call(in);
    component_.reset();
    return {};
  }

  std::string make(WireReader& in) {
    std::string recipe_folder;
    in(subject_.kind, subject_.name, subject_.file, subject_.id, subject_.version, subject_.identity, subject_.params,
       recipe_folder);
    in.end();
    host_ = std::make_unique<RemoteHost>(connection_, recipe_folder);
    if (file_identity(subject_.file) != subject_.identity) {
      throw Error(ErrorCode::plugin, subject_.file + " has changed since the stage began; run again");
    }
    const PluginCandidate candidate = inspect_plugin(subject_.file);
    if (!candidate.refused.empty()) throw Error(ErrorCode::plugin, subject_.file + ": " + candidate.refused);
    registrar_ = load_plugin(candidate);
    for (const auto& entry : registrar_->entries()) {
      if (entry->info.kind != subject_.kind || entry->info.name != subject_.name) continue;
      const auto made = [&](Host& host) { return entry->make(subject_.params, host, nullptr); };
      component_ =
          debug_host::wanted() ? debug_host::watch({entry->info, subject_.title(), ""}, *host_, made) : made(*host_);
    }
    if (component_ == nullptr) throw Error(ErrorCode::plugin, subject_.file + " does not provide it any more");
    const auto* waiting = dynamic_cast<const WaitingJudge*>(component_.get());
    return packed(waiting != nullptr, static_cast<std::uint64_t>(waiting == nullptr ? 0 : waiting->concurrency()));
  }

  // What a component says of parameters: empty, or why it refuses them. Whatever is wrong with the plugin is thrown.
  std::string examine(WireReader& in) {
    std::string file, kind, name;
    std::optional<Value> params;
    in(file, kind, name, params);
    in.end();
    const ComponentEntry& entry = entry_of(file, kind, name);
    std::string broken;
    if (params) {
      guarded(without_revision(kind) + " `" + name + "` of " + file + ", in the rules of its parameters", "",
              [&] { broken = broken_rule(entry, *params); });
    }
    return packed(broken);
  }

  static std::string broken_rule(const ComponentEntry& entry, const Value& params) {
    try {
      entry.check(params);
      return {};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::recipe) throw;
      return error.what();
    }
  }

  const ComponentEntry& entry_of(const std::string& file, const std::string& kind, const std::string& name) {
    std::unique_ptr<Registrar>& registrar = examined_[file];
    if (registrar == nullptr) {
      const PluginCandidate candidate = inspect_plugin(file);
      if (!candidate.refused.empty()) throw Error(ErrorCode::plugin, file + ": " + candidate.refused);
      // As in a run, where the engine has loaded LibTorch before any plugin that needs it.
      if (!candidate.fingerprint.ends_with("torch=none")) static_cast<void>(Engine::open());
      registrar = load_plugin(candidate);
    }
    for (const auto& entry : registrar->entries()) {
      if (entry->info.kind == kind && entry->info.name == name) return *entry;
    }
    throw Error(ErrorCode::plugin, file + " does not provide " + kind + " " + name + " any more");
  }

  std::string call(WireReader& in) {
    switch (in.take<Operation>()) {
      case Operation::judge:
        return packed(static_cast<Judge&>(*component_).judge(in.take<JudgeRequest>()));
      case Operation::select: {
        const auto group = in.take<ResponseGroup>();
        Random random(in.take<std::uint64_t>());
        random.seek(in.take<std::uint64_t>());
        return packed(static_cast<const SelectionPolicy&>(*component_).select(group, random));
      }
      case Operation::threshold:
        return packed(static_cast<const SelectionPolicy&>(*component_).threshold());
      case Operation::evaluate: {
        RemoteContext context(connection_, in);
        return packed(static_cast<Evaluator&>(*component_).evaluate(context));
      }
      default:
        throw Error(ErrorCode::plugin, "the framework calls something that a component does not do");
    }
  }

  Connection connection_;
  IsolatedSubject subject_;
  std::unique_ptr<RemoteHost> host_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<Component> component_;
  std::map<std::string, std::unique_ptr<Registrar>> examined_;  // by file
};

}  // namespace

int serve_component(int socket) {
  // Should the reading thread be unable to: nobody may outlive who asked for it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Never destroyed: the reading thread uses it until the process ends.
  auto* serving = new Serving(socket);
  serving->run();
  return 0;
}

}  // namespace plumb
