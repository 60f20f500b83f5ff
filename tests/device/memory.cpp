// Memory of the strict device, and what is counted.
#include <ATen/ops/from_blob.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <ATen/EmptyTensor.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "accounting.h"
#include "strict_device.h"

namespace plumb::strict {
namespace {

std::mutex counting;
Counts counted;
bool is_dry = false;

std::size_t in_pages(std::size_t bytes) {
  return (bytes + 4095) / 4096 * 4096;
}

struct Block {
  void* at;
  std::size_t size;
};

void release(void* context) {
  const auto* block = static_cast<Block*>(context);
  ::munmap(block->at, block->size);
  const std::lock_guard lock(counting);
  counted.bytes -= block->size;
  delete block;
}

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(std::size_t bytes) override {
    const c10::Device device(kDevice, 0);
    if (bytes == 0) return {nullptr, nullptr, [](void*) {}, device};
    const std::size_t size = in_pages(bytes);
    void* at = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TORCH_CHECK(at != MAP_FAILED, "strict: no address space for ", size, " bytes");
    const std::lock_guard lock(counting);
    counted.bytes += size;
    counted.peak = std::max(counted.peak, counted.bytes);
    return {at, new Block{at, size}, &release, device};
  }
  [[nodiscard]] c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* /*to*/, const void* /*from*/, std::size_t /*count*/) const override {
    TORCH_CHECK(false, "strict: raw copies are not there");
  }
};
Memory memory;
REGISTER_ALLOCATOR(kDevice, &memory)

// How many Opened there are of each block.
std::mutex opening;
std::map<void*, int>& opened() {
  static std::map<void*, int> of_blocks;
  return of_blocks;
}

bool has_memory(const at::Tensor& tensor) {
  return tensor.device().type() == kDevice && tensor.storage().nbytes() > 0;
}

}  // namespace

std::int64_t Counts::launched() const {
  return std::accumulate(launches.begin(), launches.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& entry) { return sum + entry.second; });
}

std::string Counts::text() const {
  std::string out = std::to_string(launched()) + " launches, " + std::to_string(uploads) + " uploads, " +
                    std::to_string(downloads) + " downloads, " + std::to_string(syncs) + " syncs:";
  for (const auto& [name, count] : launches) out += " " + name + " " + std::to_string(count);
  return out;
}

Counts counts() {
  const std::lock_guard lock(counting);
  return counted;
}

void reset_counts() {
  const std::lock_guard lock(counting);
  const std::size_t held = counted.bytes;
  counted = {};
  counted.bytes = counted.peak = held;
}

void set_dry() {
  is_dry = true;
}
bool dry() {
  return is_dry;
}

c10::Allocator& allocator() {
  return memory;
}

at::Tensor new_tensor(at::IntArrayRef size, at::IntArrayRef stride, at::ScalarType type) {
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           type);
}

void count_launch(const std::string& name) {
  const std::lock_guard lock(counting);
  ++counted.launches[name];
}

void count_move(Moved moved, bool blocking) {
  const std::lock_guard lock(counting);
  ++(moved == Moved::upload ? counted.uploads : counted.downloads);
  counted.syncs += blocking ? 1 : 0;
}

void count_sync() {
  const std::lock_guard lock(counting);
  ++counted.syncs;
}

Opened::Opened(const at::Tensor& tensor) : tensor_(tensor) {
  if (!has_memory(tensor)) return;
  void* at = tensor.storage().mutable_data();
  const std::lock_guard lock(opening);
  if (opened()[at]++ == 0) ::mprotect(at, in_pages(tensor.storage().nbytes()), PROT_READ | PROT_WRITE);
}

Opened::~Opened() {
  if (!has_memory(tensor_)) return;
  void* at = tensor_.storage().mutable_data();
  const std::lock_guard lock(opening);
  if (--opened()[at] > 0) return;
  opened().erase(at);
  ::mprotect(at, in_pages(tensor_.storage().nbytes()), PROT_NONE);
}

at::Tensor Opened::cpu() const {
  if (tensor_.device().type() != kDevice) return tensor_;
  return at::from_blob(const_cast<void*>(tensor_.const_data_ptr()), tensor_.sizes(), tensor_.strides(),
                       at::TensorOptions(tensor_.scalar_type()));
}

const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size) {
  const std::size_t wanted = static_cast<std::size_t>(c10::multiply_integers(size)) * self.element_size();
  if (wanted > self.storage().nbytes()) {
    TORCH_CHECK(self.storage().nbytes() == 0 || self.numel() == 0, "strict: a tensor that holds numbers cannot grow");
    self.storage().set_data_ptr_noswap(memory.allocate(wanted));
    self.storage().unsafeGetStorageImpl()->set_nbytes(wanted);
  }
  self.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return self;
}

}  // namespace plumb::strict
