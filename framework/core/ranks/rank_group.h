// The processes of one run, as far as the core speaks to them: texts, and a board that each of them can read at any
// time. The engine has the rest (engine/distributed/collective.h), and makes them.
//
//   const auto facts = group.gather_texts(own_facts);
//   for (int r = 1; r < group.world(); ++r) if (facts[r] != facts[0]) throw …;
//
// Thread contract: [lane] for what all ranks call together, in the same order; the board is [any].
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/ranks/place.h"
#include "plumb/error.h"

namespace plumb {

// Another rank failed, is gone, or does not come: the message names it. Its code is that of the other's failure.
class RankMissing final : public Error {
 public:
  using Error::Error;
};

// Who waits for others is told of these.
namespace board {
inline const std::string failed = "failed";  // {"rank", "code", "text"}
inline const std::string end = "end";        // rank 0's: the exit status
}  // namespace board

class RankGroup {
 public:
  RankGroup(int rank, int world) : rank_(rank), world_(world) {}
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;
  virtual ~RankGroup() = default;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int world() const { return world_; }
  [[nodiscard]] bool leads() const { return rank_ == 0; }
  [[nodiscard]] bool alone() const { return world_ == 1; }

  // Together. Throw RankMissing.
  virtual std::vector<std::string> gather_texts(const std::string& mine) = 0;  // of every rank, in order of ranks
  virtual std::string broadcast_text(const std::string& text) = 0;             // rank 0's, for all
  virtual void barrier() = 0;

  // The board. The first text under a name stays. Two names mean something to the group itself: namespace board. Throw
  // RankMissing when nobody keeps the board any more.
  virtual void post(const std::string& name, const std::string& text) = 0;
  [[nodiscard]] virtual std::optional<std::string> posted(const std::string& name) = 0;
  // What is known by now of a rank that failed or is gone; throws it.
  virtual void require_all() = 0;
  // "process 4711 on gpu03".
  [[nodiscard]] virtual std::string who(int rank) = 0;
  // From here on nobody is missed: the run is over.
  virtual void part() = 0;

 private:
  int rank_, world_;
};

struct JoinOptions {
  std::chrono::milliseconds timeout{600000};  // for a rank that lives and does not come
  std::chrono::milliseconds silence{20000};   // for one that gives no sign of life; at most `timeout`
  std::function<int()> stop = {};             // the signal that asked this process to stop; 0: none
  std::function<void(int)> stop_too = {};     // called when another rank was asked
};

}  // namespace plumb
