// Memory of this process and of the machine.
//
//   if (needed > memory_at_hand()) …             // the kernel is likely to kill the process
//   reset_peak_memory(); work(); peak_memory();  // bytes that work() held at most
//
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <filesystem>

namespace plumb {

// The process's peak resident memory since the last reset, in bytes.
std::uint64_t peak_memory();
void reset_peak_memory();

// Bytes that the process can still take: what the machine has available, and what the limits of its control groups
// (a container's, a batch job's) leave, less the page cache, which yields. All ones when nothing says. `root`: where
// /proc and /sys lie, for tests.
std::uint64_t memory_at_hand(const std::filesystem::path& root = "/");

}  // namespace plumb
