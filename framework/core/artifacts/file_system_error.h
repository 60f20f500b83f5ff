// What std::filesystem throws, as the errors of disk.h.
//
//   try { fs::copy_file(from, to); } catch (const fs::filesystem_error& error) { throw disk_error("use", error); }
//
// Of a call with two paths (copy, rename, link) the second is named: it is what was to be made, and the file system it
// lies on is the one that has no room. Thread contract: [any].
#pragma once

#include <filesystem>
#include <string_view>

#include "framework/result.h"

namespace plumb {

Error disk_error(std::string_view verb, const std::filesystem::filesystem_error& error);

}  // namespace plumb
