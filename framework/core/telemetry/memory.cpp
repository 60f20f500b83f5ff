#include "framework/core/telemetry/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

// The number after a word that begins a line.
std::optional<std::uint64_t> number_after(const fs::path& file, const std::string& word) {
  std::ifstream lines(file);
  std::uint64_t value = 0;
  for (std::string first; lines >> first;) {
    if (first == word && lines >> value) return value;
    std::string rest;
    lines.clear();
    std::getline(lines, rest);
  }
  return std::nullopt;
}

// The number that a file holds; nothing for "max".
std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::uint64_t value = 0;
  return std::ifstream(file) >> value ? std::optional(value) : std::nullopt;
}

// What one control group leaves. `limit`, `used` and `cache`: its files and the key of memory.stat, by version.
std::uint64_t left_in(const fs::path& group, const char* limit, const char* used, const char* cache) {
  const auto most = number_in(group / limit), now = number_in(group / used);
  if (!most || !now) return unlimited;
  const std::uint64_t held = *now - std::min(*now, number_after(group / "memory.stat", cache).value_or(0));
  return *most - std::min(*most, held);
}

// A group lies within its parents' limits. In a container the path may be the host's, and the group is the top.
std::uint64_t left_in_groups(const fs::path& top, const fs::path& path, const char* limit, const char* used,
                             const char* cache) {
  std::uint64_t left = left_in(top, limit, used, cache);
  fs::path group = top;
  for (const fs::path& part : path.relative_path()) {
    group /= part;
    left = std::min(left, left_in(group, limit, used, cache));
  }
  return left;
}

}  // namespace

std::uint64_t peak_memory() {
  return number_after("/proc/self/status", "VmHWM:").value_or(0) * 1024;
}

void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

std::uint64_t memory_at_hand(const fs::path& root) {
  const auto available = number_after(root / "proc/meminfo", "MemAvailable:");
  std::uint64_t left = available ? *available * 1024 : unlimited;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:path
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path path = line.substr(second + 1), top = root / "sys/fs/cgroup";
    if (controllers == ",,") {
      left = std::min(left, left_in_groups(top, path, "memory.max", "memory.current", "inactive_file"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      left = std::min(left, left_in_groups(top / "memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes",
                                           "total_inactive_file"));
    }
  }
  return left;
}

}  // namespace plumb
