#include "framework/registry/fingerprint.h"

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
  return PLUMB_ABI_FINGERPRINT(PLUMB_TORCH_VERSION);
}

std::string fingerprint_difference(std::string_view found, std::string_view wanted) {
  std::string out;
  for (const char* key : {"sdk", "arch", "stdlib", "cxx11abi", "debug", "san", "torch"}) {
    const std::string_view theirs = field(found, key);
    const std::string_view ours = field(wanted, key);
    const bool torch = std::string_view(key) == "torch";
    if (theirs == ours || (torch && theirs == "none")) continue;
    out += out.empty() ? "" : "; ";
    out += key;
    out += ": found ";
    out += theirs.empty() ? "nothing" : theirs;
    out += ", wanted ";
    out += ours;
    if (torch && ours != "none") out += " or none";
  }
  return out;
}

}  // namespace plumb
