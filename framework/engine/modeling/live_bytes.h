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
#include <mutex>
#include <unordered_map>

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

  // Memory that is its own context, as raw_allocate wants it: oneDNN's kernels for bfloat16 ask for such.
  at::DataPtr allocate(std::size_t bytes) override {
    void* const data = before_->raw_allocate(bytes);
    {
      const std::lock_guard lock(mutex_);
      pieces_[data] = static_cast<std::int64_t>(bytes);
    }
    const std::int64_t now = now_ += static_cast<std::int64_t>(bytes);
    for (std::int64_t peak = peak_; peak < now && !peak_.compare_exchange_weak(peak, now);) {
    }
    return {data, data, &release, at::Device(at::kCPU)};
  }
  [[nodiscard]] at::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { before_->copy_data(to, from, bytes); }

 private:
  LiveBytes() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, 0xff); }
  static void release(void* data) {
    LiveBytes& counter = counting();
    {
      const std::lock_guard lock(counter.mutex_);
      const auto piece = counter.pieces_.find(data);
      if (piece != counter.pieces_.end()) {  // else it is older than the counter
        counter.now_ -= piece->second;
        counter.pieces_.erase(piece);
      }
    }
    counter.before_->raw_deallocate(data);
  }

  c10::Allocator* before_;
  std::atomic<std::int64_t> now_{0}, peak_{0};
  std::mutex mutex_;
  std::unordered_map<void*, std::int64_t> pieces_;  // bytes of each
};

}  // namespace plumb::test
