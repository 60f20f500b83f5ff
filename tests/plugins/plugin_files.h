// Copies of the test plugins that a test may damage, and a host for the components that they provide.
//
//   Folder folder;
//   const auto file = copy_plugin("good/test-gap", folder.path());     // with its schema
//   patch(file, "cxx11abi=1", "cxx11abi=0");
//
// Thread contract: one thread.
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/registry/candidate.h"
#include "framework/core/registry/registry.h"

namespace plumb::test {

inline const std::filesystem::path kPlugins = PLUMB_TEST_PLUGINS;

inline std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

// `name` is a folder and a plugin below the build's test plugins, "good/test-gap".
inline std::filesystem::path copy_plugin(const std::string& name, const std::filesystem::path& to) {
  const std::filesystem::path from = kPlugins / (name + ".plumb.so");
  const std::filesystem::path file = to / from.filename();
  std::filesystem::create_directories(to);
  std::filesystem::copy_file(from, file);
  std::filesystem::copy_file(schema_file(from), schema_file(file));
  return file;
}

// Replaces text by text of the same length, everywhere in the file; there must be some.
inline void patch(const std::filesystem::path& file, const std::string& from, const std::string& to) {
  BOOST_REQUIRE_EQUAL(from.size(), to.size());
  std::string bytes = content(file);
  std::size_t at = bytes.find(from);
  BOOST_REQUIRE_NE(at, std::string::npos);
  for (; at != std::string::npos; at = bytes.find(from, at + to.size())) bytes.replace(at, to.size(), to);
  std::filesystem::remove(file);  // a mapped library keeps its own inode
  write(file, bytes);
}

// The same in the ELF note only; the entry keeps what it says.
inline void patch_note(const std::filesystem::path& file, const std::string& from, const std::string& to) {
  std::string bytes = content(file);
  const std::size_t note = bytes.find(std::string("Plumb\0\0\0sdk=", 12));
  BOOST_REQUIRE_NE(note, std::string::npos);
  const std::size_t at = bytes.find(from, note);
  BOOST_REQUIRE_LT(at, note + 400);
  bytes.replace(at, to.size(), to);
  std::filesystem::remove(file);
  write(file, bytes);
}

inline Registry scan_folder(const std::filesystem::path& folder) {
  return Registry::scan({{}, {folder}});
}

inline std::string refusal(const std::filesystem::path& file) {
  return inspect_plugin(file).refused;
}

// The message of the Error that `call` throws; its code must be the one expected.
template <class F>
std::string error_of(ErrorCode code, F&& call) {
  try {
    call();
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.what();
  }
  return "no error";
}

// An environment variable for the length of a scope.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

class QuietHost : public Host {
 public:
  void log(LogLevel, std::string_view) override {}
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return false; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return "/tmp"; }
  [[nodiscard]] std::string recipe_folder() const override { return "/tmp"; }
  [[nodiscard]] void* query(std::string_view) override { return nullptr; }
};

}  // namespace plumb::test
