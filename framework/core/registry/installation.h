// Where this program lies: the prefix it was installed to, or the build folder, which has the same shape.
//
//   const auto templates = installation_prefix() / "share/plumb/template";
//
// Thread contract: [any].
#pragma once

#include <filesystem>

namespace plumb {

// PREFIX of PREFIX/lib/libplumb_core.so, links resolved; empty when it cannot be told.
std::filesystem::path installation_prefix();

}  // namespace plumb
