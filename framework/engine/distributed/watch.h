// The watch of a rank: it gives a sign of life four times a second over a connection of its own to the store, looks for
// those of the others, and passes on that a rank failed or was asked to stop. So everybody knows within seconds who is
// gone.
//
//   Watch watch(store, place, {.timeout = 600s, .silence = 20s});
//   watch.set_at(7);                 // of what all ranks do together, this one is at the seventh
//   watch.require_all();             // throws RankMissing
//
// Thread contract: [any]; the store is the watch's alone until its end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "framework/core/ranks/place.h"
#include "framework/core/ranks/rank_group.h"

namespace c10d {
class Store;
}

namespace plumb {

inline constexpr std::chrono::milliseconds kBeat{250};  // between two looks

// What lies in the store under a name, if anything does.
std::optional<std::string> look(c10d::Store& store, const std::string& key);
namespace board {
std::string key(const std::string& name);  // of the board's texts in the store
}
// What is said when nobody answers for the store any more.
std::string store_is_gone(const std::exception& error);

class Watch {
 public:
  Watch(c10d::Store& store, const Place& place, const JoinOptions& options);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { end(); }

  void end();

  // Throws RankMissing when a rank is known to have failed or to be gone.
  void require_all();
  // The first reason stays.
  void lose(ErrorCode code, const std::string& text);
  // Of what all ranks do together: which of them this one is at.
  void set_at(std::uint64_t number) { at_ = number; }
  // Those that are not yet at what this rank waits for, "rank 1 (process …), rank 3 (…)"; empty: none is known.
  std::string behind();

 private:
  struct Seen {
    std::string sign, who = "never seen";
    bool known = false;  // who it is; that stays
    std::uint64_t at = 0;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  };

  void run();
  void look_for_stop();
  void look_for_failure();
  void look_for_end();
  void look_at(int rank);

  c10d::Store& store_;
  const Place place_;
  const JoinOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::optional<Error> lost_;
  std::vector<Seen> seen_;
  std::atomic<std::uint64_t> at_{0};
  std::thread thread_;
};

}  // namespace plumb
