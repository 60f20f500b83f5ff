// What a plugin was built for against what this program was built for, field by field.
//
//   std::string why = fingerprint_difference("sdk=2 arch=…", host_fingerprint());
//   // "sdk: found 2, wanted 1; torch: found 2.10.0, wanted 2.11.0 or none"
//
// Thread contract: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace plumb {

// Of this program; its torch is the version that the engine links, its sanitizer one that it was built with or that was
// preloaded, which then is in the whole process as well.
std::string host_fingerprint();

// Empty when a plugin with fingerprint `found` may be loaded by a program with fingerprint `wanted`. Every field must
// be the same; torch and san may also be none.
std::string fingerprint_difference(std::string_view found, std::string_view wanted);

}  // namespace plumb
