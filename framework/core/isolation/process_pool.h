// The processes of one isolated component: as many as calls run at once, started when they are needed.
//
//   ProcessPool pool(subject, host);
//   auto judgement = pool.call<Judgement>(Operation::judge, packed, "judge, request 7");
//
// Thread contract: call is [any].
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "framework/core/isolation/component_process.h"

namespace plumb {

class ProcessPool {
 public:
  // Starts the first process; throws as ComponentProcess does, with Error(plugin) in the place of CallFailed.
  ProcessPool(IsolatedSubject subject, Host& host);
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;
  ~ProcessPool();  // ends the processes in order

  // Throws CallFailed when this call failed and others may not; Error(plugin) once the component is given up; and what
  // the component itself may throw.
  template <class T>
  T call(Operation operation, const std::string& args, const std::string& during,
         EvaluationContext* context = nullptr) {
    T out{};
    call_and_read(operation, args, during, context, [&](WireReader& in) { in(out); });
    return out;
  }

  [[nodiscard]] const IsolatedSubject& subject() const { return subject_; }
  [[nodiscard]] const std::string& made() const { return made_; }

 private:
  void call_and_read(Operation operation, const std::string& args, const std::string& during,
                     EvaluationContext* context, const std::function<void(WireReader&)>& read);
  std::unique_ptr<ComponentProcess> take();
  void give_back(std::unique_ptr<ComponentProcess> process);
  void count(const CallFailed& failed);

  IsolatedSubject subject_;
  Host& host_;
  SharedModels shared_;
  Keeper keeper_;
  std::string made_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ComponentProcess>> idle_;
  int crashes_in_a_row_ = 0, hangs_in_a_row_ = 0, warnings_ = 0;
  std::string given_up_;  // why
};

}  // namespace plumb
