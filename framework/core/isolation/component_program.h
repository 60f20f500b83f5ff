// The program that runs plugins' code in processes of their own, and how such a process came to its end, in words.
//
//   ChildProcess child({component_program().string(), "what ps shows"}, socket);
//   … how_it_ended(child) + last_words(child.errors())      // "was killed by SIGSEGV (Segmentation fault); its last …"
//
// Thread contract: functions of their arguments and of the file system; [any].
#pragma once

#include <filesystem>
#include <string>

#include "framework/core/isolation/child_process.h"

namespace plumb {

// PREFIX/bin/plumb-component. Throws Error(plugin) when it is not there.
std::filesystem::path component_program();

// "ended with status 3", "was killed by SIGSEGV (Segmentation fault)"; of a child that ended.
std::string how_it_ended(const ChildProcess& child);

// The end of what a process printed on its standard error, to be appended to a message; empty when it printed nothing.
std::string last_words(const std::string& errors);

}  // namespace plumb
