// The words of `plumb plugins`, one file each beside plugins.cpp, which finds them.
//
// Thread contract: as a verb.
#pragma once

#include <string>
#include <vector>

namespace plumb::cli {

// The words, in the order of the help.
std::vector<std::string> plugins_words();
// Those that there are templates for.
std::vector<std::string> component_kinds();

int run_plugins_check(int argc, char** argv);  // argv[0] is "plugins check"
int run_plugins_docs(int argc, char** argv);
int run_plugins_new(int argc, char** argv);
int run_plugins_schema(int argc, char** argv);

}  // namespace plumb::cli
