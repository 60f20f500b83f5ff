// How much memory the tensors of the CPU take, for tests of what a computation keeps.
//
//   LiveBytes& live = LiveBytes::counting();
//   live.reset_peak();
//   …
//   live.now(), live.peak();      // bytes of the tensors made since the first call of counting()
//
// Thread contract: counting() is [setup]; the rest is [any].
#pragma once

#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace plumb::test {

class LiveBytes final : public c10::Allocator {
 public:
  // From here on and until the process ends, since a tensor may live as long.
  static LiveBytes& counting() {
    static auto* const counter = new LiveBytes;
    return *counter;
  }

  [[nodiscard]] std::int64_t now() const { return now_; }
  [[nodiscard]] std::int64_t peak() const { return peak_; }
  void reset_peak() { peak_ = now_.load(); }

  at::DataPtr allocate(std::size_t bytes) override {
    at::DataPtr memory = before_->allocate(bytes);
    void* const data = memory.get();
    auto* const piece = new Piece{std::move(memory), static_cast<std::int64_t>(bytes), this};
    const std::int64_t now = now_ += piece->bytes;
    for (std::int64_t peak = peak_; peak < now && !peak_.compare_exchange_weak(peak, now);) {
    }
    return {data, piece, &release, at::Device(at::kCPU)};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { before_->copy_data(to, from, bytes); }

 private:
  struct Piece {
    at::DataPtr memory;
    std::int64_t bytes;
    LiveBytes* counter;
  };
  LiveBytes() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, 0xff); }
  static void release(void* context) {
    auto* const piece = static_cast<Piece*>(context);
    piece->counter->now_ -= piece->bytes;
    delete piece;
  }

  c10::Allocator* before_;
  std::atomic<std::int64_t> now_{0}, peak_{0};
};

}  // namespace plumb::test
