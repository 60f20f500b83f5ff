// Who is inside an object, whether it still lives, and what is said when a contract is broken.
//
//   Watch::Call call(*watch, "select", Tag::any);     // for the length of the call
//   watch->require(ids_fit, "encode", "ids below vocabulary_size(), 512", "512");
//
// Thread contract: [any].
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sdk/debug_host/debug_host.h"

namespace plumb::debug_host {

// What the comment of a method says of threads.
enum class Tag { setup, lane, any };

struct Thread {
  int id = 0;
  std::string name;
  static Thread current();
  [[nodiscard]] std::string text() const;  // `thread 17 "worker"`
};

inline void dwell() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// set_handler of debug_host.h.
Handler exchange_handler(Handler wanted);

// Ends the process or throws, unless a handler was set.
void violated(const Violation& violation, bool may_throw);

class Watch {
 public:
  // `caller` is who calls the object: a violation of its threads is theirs. What a plugin calls may not throw. With
  // `dwells` every call lasts a moment longer, so that two threads which do not wait for each other are seen to meet.
  Watch(Subject subject, Violation::Fault caller, bool dwells = false)
      : subject_(std::move(subject)), caller_(caller), dwells_(dwells) {}

  class Call {
   public:
    Call(Watch& watch, const char* method, Tag tag);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Watch& watch_;
    std::uint64_t number_;
  };

  // Of an answer of the plugin's.
  void require(bool holds, const char* method, const std::string& wanted, const std::string& found);
  // Reports what somebody does wrong in a call of their own.
  void accuse(Violation::Fault fault, const char* method, const std::string& wanted, const std::string& found,
              bool may_throw = false);
  // A call of the host by the component; false after its end.
  bool calls_host(const char* method);

  void ending();  // nobody may call it from now on
  void ended();   // it may not call the host from now on
  [[nodiscard]] const Subject& subject() const { return subject_; }

 private:
  struct Inside {
    std::uint64_t number;
    Thread thread;
    const char* method;
    Tag tag;
  };
  [[nodiscard]] std::optional<std::pair<std::string, std::string>> problem(const Thread& thread, const char* method,
                                                                           Tag tag) const;

  const Subject subject_;
  const Violation::Fault caller_;
  const bool dwells_;
  mutable std::mutex mutex_;
  std::vector<Inside> inside_;
  std::uint64_t calls_ = 0;
  bool worked_ = false;
  std::optional<Thread> ending_, ended_;  // by whom
};

// Keeps an object until the process ends.
void keep(std::shared_ptr<void> object);

// What belongs to somebody watched: "the run of stage `x` of org.y 1.0.0".
inline Subject part_of(const Watch& owner, const std::string& what) {
  Subject out = owner.subject();
  out.title = "the " + what + " of " + out.title;
  return out;
}

// What a plugin is lent for one call, behind a T. The T stays when the call is over, since a thread that was left behind
// may still call it.
template <class T>
class Lent {
 public:
  template <class Inner>
  Lent(Inner& inner, const Watch& lender) : object_(std::make_shared<T>(inner, lender)) {
    keep(object_);
  }
  ~Lent() { object_->end(); }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  [[nodiscard]] T& operator*() const { return *object_; }

 private:
  std::shared_ptr<T> object_;
};

// An object of interface `Base` that stands for another one. Its end is that of the other one alone: this one stays, so
// that what is called later is called on something.
template <class Base>
class Watched : public Base {
 public:
  Watched(std::shared_ptr<Watch> watch, std::unique_ptr<Base> inner)
      : watch_(std::move(watch)), inner_(std::move(inner)) {}
  static void operator delete(Watched* self, std::destroying_delete_t) {
    self->watch_->ending();
    self->inner_.reset();
    self->watch_->ended();
    keep(std::shared_ptr<void>(self, [](void*) {}));
  }

 protected:
  [[nodiscard]] Watch& watch() const { return *watch_; }
  [[nodiscard]] Base& inner() const { return *inner_; }

 private:
  std::shared_ptr<Watch> watch_;
  std::unique_ptr<Base> inner_;
};

// The component of `made` behind a Watched of its kind.
template <class T, class Base>
std::unique_ptr<Component> behind(const std::shared_ptr<Watch>& watch, std::unique_ptr<Component> made) {
  return std::make_unique<T>(watch, std::unique_ptr<Base>(static_cast<Base*>(made.release())));
}

// Each returns null for kinds that it does not know, and leaves `made` alone.
std::unique_ptr<Component> watch_answers(const std::shared_ptr<Watch>& watch, std::unique_ptr<Component>& made);
std::unique_ptr<Component> watch_texts(const std::shared_ptr<Watch>& watch, std::unique_ptr<Component>& made);
// In the library for the tensor tier, found by its name.
extern "C" plumb::Component* plumb_debug_host_watch_tensors(const std::shared_ptr<Watch>& watch,
                                                            plumb::Component* made);

}  // namespace plumb::debug_host
