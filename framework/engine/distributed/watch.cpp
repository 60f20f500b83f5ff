#include "framework/engine/distributed/watch.h"

#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "framework/core/telemetry/text.h"
#include "plumb/value.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;
const std::string kStop = "stop";

}  // namespace

std::optional<std::string> look(c10d::Store& store, const std::string& key) {
  if (!store.check({key})) return std::nullopt;
  return store.get_to_str(key);
}

std::string board::key(const std::string& name) {
  return "board/" + name;
}

std::string store_is_gone(const std::exception& error) {
  return fmt::format("rank 0, which keeps what the ranks tell each other, is gone ({})", first_line(error.what()));
}

Watch::Watch(c10d::Store& store, const Place& place, const JoinOptions& options)
    : store_(store), place_(place), options_(options), seen_(static_cast<std::size_t>(place.world)) {
  thread_ = std::thread([this] { run(); });
}

void Watch::end() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watch::require_all() {
  const std::scoped_lock lock(mutex_);
  if (lost_) throw RankMissing(lost_->code(), lost_->what());
}

void Watch::lose(ErrorCode code, const std::string& text) {
  const std::scoped_lock lock(mutex_);
  if (!lost_ && !ended_) lost_.emplace(code, text);
}

std::string Watch::behind() {
  const std::scoped_lock lock(mutex_);
  std::string names;
  for (std::size_t r = 0; r < seen_.size(); ++r) {
    if (static_cast<int>(r) == place_.rank || seen_[r].at >= at_) continue;
    names += fmt::format("{}rank {} ({})", names.empty() ? "" : ", ", r, seen_[r].who);
  }
  return names;
}

void Watch::run() {
  std::uint64_t beat = 0;
  for (;;) {
    try {
      const std::string sign = fmt::format("{} {}", ++beat, at_.load());
      store_.set(fmt::format("alive/{}", place_.rank), sign);
      look_for_stop();
      look_for_failure();
      look_for_end();
      for (int rank = 0; rank < place_.world; ++rank) look_at(rank);
    } catch (const std::exception& error) {
      lose(ErrorCode::run_failed, store_is_gone(error));
      return;
    }
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kBeat, [this] { return ended_; })) return;
  }
}

void Watch::look_for_stop() {
  const int own = options_.stop ? options_.stop() : 0;
  if (own != 0) {
    store_.compareSet(kStop, std::string(), std::to_string(own));
  } else if (const auto signal = look(store_, kStop); signal && options_.stop_too) {
    options_.stop_too(std::stoi(*signal));
  }
}

void Watch::look_for_failure() {
  const auto text = look(store_, board::key(board::failed));
  if (!text) return;
  const Value failure = parse_json(*text);
  if (failure.at("rank").as_int() == place_.rank) return;
  lose(static_cast<ErrorCode>(failure.at("code").as_int()), failure.at("text").as_string());
}

// Rank 0 ends a run that failed or was stopped while others may wait for it.
void Watch::look_for_end() {
  if (place_.rank == 0) return;
  const auto status = look(store_, board::key(board::end));
  if (status) lose(static_cast<ErrorCode>(std::stoi(*status)), "rank 0 has ended the run");
}

void Watch::look_at(int rank) {
  if (rank == place_.rank) return;
  const auto sign = look(store_, fmt::format("alive/{}", rank));
  Seen& seen = seen_[static_cast<std::size_t>(rank)];
  const auto who = seen.known ? std::nullopt : look(store_, fmt::format("who/{}", rank));
  std::string silent;
  {
    const std::scoped_lock lock(mutex_);
    if (who) {
      seen.who = *who;
      seen.known = true;
    }
    if (sign && *sign != seen.sign) {
      seen.sign = *sign;
      seen.since = Clock::now();
      seen.at = std::stoull(sign->substr(sign->find(' ') + 1));
      return;
    }
    if (!sign) return;  // not here yet; joining has a limit of its own
    const auto quiet = Clock::now() - seen.since;
    if (quiet < options_.silence) return;
    silent = fmt::format("rank {} of {} ({}) gives no sign of life for {:.0f} s: it was killed, or its machine hangs",
                         rank, place_.world, seen.who, std::chrono::duration<double>(quiet).count());
  }
  lose(ErrorCode::run_failed, silent);
}

}  // namespace plumb
