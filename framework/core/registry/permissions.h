// Who could put other code in the place of a file: a library that somebody else may replace runs somebody else's code.
//
//   if (const std::string problem = replaceable_by_others(file); !problem.empty()) candidate.refused = problem;
//
// Looked at is every folder and every symbolic link on the way to the file, and the file: each belongs to root, to the
// user who runs this process or to the owner of this installation, and not everybody may write to it. A folder with the
// sticky bit, such as /tmp, may be everybody's, since in it nobody can replace what belongs to others.
// Thread contract: [any].
#pragma once

#include <filesystem>
#include <string>

namespace plumb {

// The first reason found, with its cure; empty when there is none.
std::string replaceable_by_others(const std::filesystem::path& file);

}  // namespace plumb
