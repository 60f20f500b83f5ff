// The dynamic section of a shared library: what it needs, exports and asks of the loader.
//
//   for (const std::string& name : read_elf("x.plumb.so").exported) …
//
// The file has passed the loader's checks of its header; sizes are checked all the same.
// Thread contract: a function of the file; [any].
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace plumb::check {

struct ElfDynamic {
  std::vector<std::string> needed;    // DT_NEEDED
  std::vector<std::string> exported;  // defined symbols that others can link to
  std::vector<std::string> unique;    // of these the STB_GNU_UNIQUE ones
  std::uint64_t flags = 0, flags_1 = 0;
};

// Throws Failure.
ElfDynamic read_elf(const std::filesystem::path& file);

}  // namespace plumb::check
