#include "framework/core/registry/fingerprint.h"

#include <dlfcn.h>

#include "plumb/abi.h"

namespace plumb {
namespace {

// The value of `key` in "key=value key=value".
std::string_view field(std::string_view fingerprint, std::string_view key) {
  while (!fingerprint.empty()) {
    const std::size_t space = fingerprint.find(' ');
    const std::string_view word = fingerprint.substr(0, space);
    const std::size_t equals = word.find('=');
    if (equals != std::string_view::npos && word.substr(0, equals) == key) return word.substr(equals + 1);
    if (space == std::string_view::npos) break;
    fingerprint.remove_prefix(space + 1);
  }
  return {};
}

}  // namespace

std::string host_fingerprint() {
  std::string out = PLUMB_ABI_FINGERPRINT(PLUMB_TORCH_VERSION);
  const std::string none = "san=none";
  const std::size_t at = out.find(none);
  const bool preloaded = at != std::string::npos && dlsym(RTLD_DEFAULT, "__asan_init") != nullptr;
  return preloaded ? out.replace(at, none.size(), "san=address") : out;
}

std::string fingerprint_difference(std::string_view found, std::string_view wanted) {
  std::string out;
  for (const char* key : {"sdk", "arch", "stdlib", "cxx11abi", "debug", "san", "torch"}) {
    const std::string_view theirs = field(found, key);
    const std::string_view ours = field(wanted, key);
    const bool may_lack = std::string_view(key) == "torch" || std::string_view(key) == "san";
    if (theirs == ours || (may_lack && theirs == "none")) continue;
    out += out.empty() ? "" : "; ";
    out += key;
    out += ": found ";
    out += theirs.empty() ? "nothing" : theirs;
    out += ", wanted ";
    out += ours;
    if (may_lack && ours != "none") out += " or none";
  }
  return out;
}

}  // namespace plumb
