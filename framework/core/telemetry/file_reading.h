// How far a large file is read, for whoever waits for it.
//
//   Result<std::string> hash = hashes.of(folder, show_reading(Progress::choose(quiet, false)));
//   // hashing model.safetensors: MiB 5120/12852 (39 %), 640/s, 12 s left, 8 s
//
// Thread contract: what show_reading() gives is for one thread.
#pragma once

#include <cstdint>
#include <iosfwd>

#include "framework/core/artifacts/content_hash.h"
#include "framework/core/telemetry/progress.h"

namespace plumb {

inline constexpr std::uint64_t shown_from = std::uint64_t{1} << 28;  // bytes: reading less takes no second

// Shows files of `shown_from` bytes and more in the form of Progress; form json shows nothing. `screen`: for tests.
FileReading show_reading(Progress::Form form, std::ostream* screen = nullptr);

}  // namespace plumb
