// The built command, run to its end.
//
//   const Outcome out = plumb_command({"generate", folder, "--prompt", "w17"});
//   out.status, out.text, out.errors
//
// Thread contract: one thread.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"

namespace plumb::test {

struct Outcome {
  int status = -1;  // exit status, or 128 + the signal that ended it
  std::string text, errors;
};

inline Outcome plumb_command(std::vector<std::string> arguments, const std::string& input = "") {
  const char* command = std::getenv("PLUMB_COMMAND");
  arguments.insert(arguments.begin(), command != nullptr ? command : PLUMB_SOURCE_DIR "/build/release/bin/plumb");
  const Folder folder;
  write_file(folder / "input", input).value();
  std::fflush(nullptr);  // or the child writes the parent's buffers, too
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    const auto redirect = [&](const char* name, const char* mode, std::FILE* stream) {
      if (std::freopen((folder / name).c_str(), mode, stream) == nullptr) ::_exit(126);
    };
    redirect("input", "r", stdin);
    redirect("output", "w", stdout);
    redirect("errors", "w", stderr);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), read_file(folder / "output").value(),
          read_file(folder / "errors").value()};
}

}  // namespace plumb::test
