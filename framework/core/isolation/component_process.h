// One process with one isolated component, seen from the framework.
//
//   ComponentProcess process(subject, {host, shared, keeper});       // starts it and makes the component
//   std::string result = process.call(Operation::judge, payload, "judge, request 7");
//
// Its socket ends when this process ends, however that happens, and it ends with it. Parameters and everything secret
// in them travel over the socket, not in its arguments. What it prints goes to the host's log. Thread contract: one
// call at a time; the thread may change.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "framework/core/isolation/child_process.h"
#include "framework/core/isolation/frames.h"
#include "framework/core/isolation/services.h"
#include "framework/core/isolation/threads.h"

namespace plumb {

// What runs in the process.
struct IsolatedSubject {
  std::string kind, name;  // "judge/1", "gold"
  std::string file, id, version;
  std::string identity;  // of the file; a process that is started later must run the same code
  Value params;
  double call_timeout = 0;  // seconds

  [[nodiscard]] std::string title() const;  // "judge `gold` of org.example.gold 1.0.0"
};

// Device, inode, size and times of a plugin file as one text.
std::string file_identity(const std::string& file);

// A call that ended its process, or left it in a state that nobody answers for. The process is of no use any more.
struct CallFailed {
  std::string why;
  bool hung = false;
};

class ComponentProcess {
 public:
  struct Surroundings {
    Host& host;
    SharedModels& shared;
    Keeper& keeper;
  };
  // Throws what the constructor of the component throws, CallFailed when it crashes, Error(plugin) when the process
  // cannot be started.
  ComponentProcess(const IsolatedSubject& subject, const Surroundings& around);
  ComponentProcess(const ComponentProcess&) = delete;
  ComponentProcess& operator=(const ComponentProcess&) = delete;
  ~ComponentProcess();  // kills what still runs

  // The result's payload. Throws CallFailed, and as itself what the component may throw: an Error of its own making or
  // what the framework threw at it; Cancelled when the run is to stop and the call does not. `during` names the call in
  // messages.
  std::string call(Operation operation, const std::string& args, const std::string& during,
                   EvaluationContext* context = nullptr);
  // Whether another call may follow; asked after one that threw something else than CallFailed.
  [[nodiscard]] bool usable() const { return usable_; }
  // Destroys the component and ends the process in order; what goes wrong is a warning.
  void end();

  [[nodiscard]] const std::string& made() const { return made_; }  // the payload of make's result

 private:
  std::string request(FrameKind kind, const std::string& payload, const std::string& during,
                      EvaluationContext* context);
  Frame next_frame(const std::string& during, WaitingThreads& waiting);
  void note(const Frame& frame);
  template <class F>
  auto well_formed(F&& read);
  void serve(const Frame& ask, EvaluationContext* context, WaitingThreads& waiting);
  void answer(const Frame& ask, EvaluationContext* context);
  void send(FrameKind kind, std::uint64_t id, const std::string& payload);
  [[noreturn]] void rethrow(const std::string& thrown);
  [[noreturn]] void died(const std::string& during);
  [[noreturn]] void hung(const std::string& during);
  [[noreturn]] void stop_now();
  [[nodiscard]] std::string who() const;
  void pass_on_output(bool all);

  IsolatedSubject subject_;
  Host& host_;
  Services services_;
  std::unique_ptr<ChildProcess> child_;
  std::unique_ptr<FrameSocket> socket_;
  std::uint64_t calls_ = 0;
  bool told_to_stop_ = false, usable_ = true;
  std::string made_;
  std::string line_;  // of its standard error, not yet whole
  std::mutex failures_mutex_;
  std::map<std::uint64_t, std::exception_ptr> failures_;  // what the framework threw, by ask
};

}  // namespace plumb
