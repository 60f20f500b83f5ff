// c10d's store and process groups behind Collective. Whoever waits for the others looks at what the watch knows.
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "framework/core/pipeline/guardian.h"
#include "framework/core/telemetry/text.h"
#include "framework/engine/distributed/backends.h"
#include "framework/engine/distributed/collective.h"
#include "framework/engine/distributed/watch.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using StorePointer = c10::intrusive_ptr<c10d::Store>;

constexpr milliseconds kExplained{5000};  // how long a broken connection waits for the watch to know why

std::string this_process() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("process {} on {}", known_process(), host.data());
}

StorePointer connect(const Place& place, milliseconds timeout, bool serve) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = serve;
  options.numWorkers = static_cast<std::size_t>(place.world);
  options.waitWorkers = false;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::PrefixStore>("plumb/" + place.run,
                                                c10::make_intrusive<c10d::TCPStore>(place.host, options));
}

at::Tensor as_bytes(const at::Tensor& tensor) {
  return tensor.detach().view({-1}).view(at::kByte);
}

class Group final : public Collective {
 public:
  Group(const Place& place, const JoinOptions& options)
      : Collective(place.rank, place.world, place.local_rank), options_(options) {
    const bool serves = place.rank == 0 && !place.agent_store;
    store_ = connect(place, options.timeout, serves);
    store_->set(fmt::format("who/{}", place.rank), this_process());
    watched_ = connect(place, options.timeout, false);
    watch_ = std::make_unique<Watch>(*watched_, place, options);
    require_joined(place);
    const milliseconds later = options.timeout + milliseconds(60000);  // ours comes first and says more
    backends_ = std::make_unique<Backends>(store_, place, options.timeout, later);
    try {
      barrier();
    } catch (...) {  // no destructor will
      backends_->abandon();
      throw;
    }
  }

  ~Group() override {
    watch_->end();
    if (broken_) backends_->abandon();
  }

  std::unique_ptr<Work> gather(const at::Tensor& full, const at::Tensor& part) override {
    at::Tensor to = as_bytes(full), from = as_bytes(part);
    return begin(backends_->of(to)._allgather_base(to, from), {to, from});
  }

  std::unique_ptr<Work> exchange(const at::Tensor& received, const at::Tensor& pieces) override {
    at::Tensor to = as_bytes(received), from = as_bytes(pieces);
    std::vector<std::int64_t> equal;
    return begin(backends_->of(to).alltoall_base(to, from, equal, equal), {to, from});
  }

  std::unique_ptr<Work> broadcast(const at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors{as_bytes(tensor)};
    return begin(backends_->of(tensors[0]).broadcast(tensors), tensors);
  }

  std::vector<std::string> gather_texts(const std::string& mine) override {
    const at::Tensor length = at::zeros({1}, at::kLong), lengths = at::zeros({world()}, at::kLong);
    *length.mutable_data_ptr<std::int64_t>() = static_cast<std::int64_t>(mine.size());
    gather(lengths, length)->wait();
    const auto* each = lengths.const_data_ptr<std::int64_t>();
    const std::int64_t longest = std::max<std::int64_t>(1, *std::max_element(each, each + world()));
    const at::Tensor part = at::zeros({longest}, at::kByte), full = at::empty({world() * longest}, at::kByte);
    std::memcpy(part.mutable_data_ptr<std::uint8_t>(), mine.data(), mine.size());
    gather(full, part)->wait();
    const auto* text = reinterpret_cast<const char*>(full.const_data_ptr<std::uint8_t>());
    std::vector<std::string> texts;
    for (int r = 0; r < world(); ++r) texts.emplace_back(text + r * longest, static_cast<std::size_t>(each[r]));
    return texts;
  }

  std::string broadcast_text(const std::string& text) override {
    const at::Tensor length = at::zeros({1}, at::kLong);
    auto* size = length.mutable_data_ptr<std::int64_t>();
    if (leads()) *size = static_cast<std::int64_t>(text.size());
    broadcast(length)->wait();
    const at::Tensor bytes = at::zeros({std::max<std::int64_t>(1, *size)}, at::kByte);
    auto* data = bytes.mutable_data_ptr<std::uint8_t>();
    if (leads()) std::memcpy(data, text.data(), text.size());
    broadcast(bytes)->wait();
    return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(*size)};
  }

  void barrier() override { static_cast<void>(gather_texts("")); }

  void post(const std::string& name, const std::string& text) override {
    on_board([&] { store_->compareSet(board::key(name), std::string(), text); });
  }

  std::optional<std::string> posted(const std::string& name) override {
    std::optional<std::string> text;
    on_board([&] { text = look(*store_, board::key(name)); });
    return text;
  }

  void require_all() override { watch_->require_all(); }
  std::string who(int rank) override {
    std::optional<std::string> known;
    on_board([&] { known = look(*store_, fmt::format("who/{}", rank)); });
    return known.value_or("a process that has not joined");
  }
  void part() override { watch_->end(); }

 private:
  // Waits until every rank is here: c10d's own meeting would wait longer and name nobody.
  void require_joined(const Place& place) {
    for (const auto start = Clock::now();; std::this_thread::sleep_for(milliseconds(20))) {
      std::string missing;
      for (int r = 0; r < place.world; ++r) {
        if (!store_->check({fmt::format("who/{}", r)})) missing += fmt::format(" rank {},", r);
      }
      if (missing.empty()) return;
      watch_->require_all();
      if (Clock::now() - start < options_.timeout) continue;
      throw Error(
          ErrorCode::run_failed,
          fmt::format("rank {} of {} waited {:.0f} s for{} which did not join: not started, ended first, or told "
                      "another address",
                      rank(), world(), std::chrono::duration<double>(options_.timeout).count(), missing));
    }
  }

  // Waits until it is done, failed, or the watch knows that it never will be.
  class Waiting final : public Work {
   public:
    Waiting(Group& group, c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> tensors)
        : group_(group), work_(std::move(work)), tensors_(std::move(tensors)) {}
    void wait() override {
      const auto start = Clock::now();
      for (std::int64_t looks = 0; !work_->isCompleted(); ++looks) {
        if (looks < 200) {
          std::this_thread::yield();
        } else {
          std::this_thread::sleep_for(std::chrono::microseconds(looks < 2000 ? 50 : 1000));
          group_.look_around(start);
        }
      }
      try {
        work_->wait();
      } catch (const std::exception& error) {
        group_.explain(error.what());
      }
    }

   private:
    Group& group_;
    c10::intrusive_ptr<c10d::Work> work_;
    std::vector<at::Tensor> tensors_;
  };

  std::unique_ptr<Work> begin(c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> tensors) {
    watch_->set_at(++number_);
    return std::make_unique<Waiting>(*this, std::move(work), std::move(tensors));
  }

  void look_around(Clock::time_point start) {
    try {
      watch_->require_all();
      if (Clock::now() - start < options_.timeout) return;
      const std::string behind = watch_->behind();
      throw RankMissing(
          ErrorCode::run_failed,
          fmt::format("rank {} waited {:.0f} s for {}, which lives and does not come: it hangs, or it has more to "
                      "compute than --rank-timeout allows",
                      rank(), std::chrono::duration<double>(options_.timeout).count(),
                      behind.empty() ? "another rank" : behind));
    } catch (const RankMissing&) {
      broken_ = true;
      throw;
    }
  }

  // A connection broke. Why, the watch knows soon: the other rank said what failed, or is silent.
  [[noreturn]] void explain(const std::string& what) {
    broken_ = true;
    const auto until = Clock::now() + std::min(kExplained, options_.silence + 2 * kBeat);
    while (Clock::now() < until) {
      watch_->require_all();
      std::this_thread::sleep_for(milliseconds(20));
    }
    const std::string behind = watch_->behind();
    throw RankMissing(ErrorCode::run_failed,
                      fmt::format("{} is gone: {}", behind.empty() ? "another rank" : behind, first_line(what)));
  }

  template <class F>
  void on_board(F&& call) {
    try {
      call();
    } catch (const std::exception& error) {
      broken_ = true;
      watch_->require_all();
      throw RankMissing(ErrorCode::run_failed, store_is_gone(error));
    }
  }

  JoinOptions options_;
  StorePointer store_, watched_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Backends> backends_;
  std::uint64_t number_ = 0;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Collective> join(const Place& place, const JoinOptions& options) {
  JoinOptions checked = options;
  checked.silence = std::min(options.silence, options.timeout);
  try {
    return std::make_unique<Group>(place, checked);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::run_failed,
                fmt::format("rank {} of {} ({}) cannot join the others at {}:{}: {}", place.rank, place.world,
                            place.launcher, place.host, place.port, first_line(error.what())));
  }
}

}  // namespace plumb
