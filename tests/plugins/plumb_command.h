// Runs the command as a user does and keeps what it printed.
//
//   const Outcome listed = plumb_command("plugins list --json");
//   listed.status, listed.out, listed.err
//
// Thread contract: one thread.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "tests/plugins/plugin_files.h"

namespace plumb::test {

struct Outcome {
  int status;
  std::string out, err;
};

// Through the shell; the arguments have no characters that it treats specially.
inline Outcome run_command(const std::filesystem::path& command, const std::string& arguments) {
  const Folder folder;
  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  const int status = std::system((command.string() + " " + arguments + " >" + out + " 2>" + err).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(out), content(err)};
}

inline Outcome plumb_command(const std::string& arguments) {
  return run_command(PLUMB_COMMAND, arguments);
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string plugin_option(const std::string& name) {
  return " --plugin " + (kPlugins / (name + ".plumb.so")).string();
}

}  // namespace plumb::test
