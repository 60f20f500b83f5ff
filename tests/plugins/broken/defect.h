// A plugin that is broken in the way its file is called: wrong-index.plumb.so names indices that do not exist. Under
// any other name it works. So one library serves for as many broken plugins as it has defects: the test copies it.
//
//   if (broken("wrong-index")) …
//
// Thread contract: [any].
#pragma once

#include <dlfcn.h>

#include <string>

namespace defect {

// Of the file that this code was loaded from, without .plumb.so.
inline const std::string& name() {
  static const std::string own = [] {
    static const char anchor = 0;
    Dl_info info{};
    if (dladdr(&anchor, &info) == 0 || info.dli_fname == nullptr) return std::string();
    std::string file = info.dli_fname;
    file.erase(0, file.rfind('/') + 1);
    return file.substr(0, file.find('.'));
  }();
  return own;
}

inline bool broken(const char* how) {
  return name() == how;
}

}  // namespace defect
