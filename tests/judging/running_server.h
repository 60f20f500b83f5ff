// The one server of this test program, and the folder where everything that the tests make lies.
//
// Thread contract: one thread; call server() before the first thread is started.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "judge_server.h"

namespace plumb::test {

inline const std::string canary = "sk-CANARY-7f3a9c51e2d84b60";

// Removed when the test ends; its child processes end without destructors.
struct TestFolder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("plumb_judging_" + std::to_string(::getpid()));
  TestFolder() { std::filesystem::create_directories(path); }
  ~TestFolder() { std::filesystem::remove_all(path); }
};

inline const std::filesystem::path& test_folder() {
  static const TestFolder folder;
  return folder.path;
}

inline JudgeServer& server() {
  static JudgeServer running(test_folder() / "server", canary);
  return running;
}

inline std::string whole(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

}  // namespace plumb::test
