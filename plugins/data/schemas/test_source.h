// What the tests of this plugin share: sources made through the entry, files with given lines, the shared data.
#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "plumb/data_source.h"
#include "plumb/testing.h"

#ifndef PLUMB_SOURCE_DIR
#define PLUMB_SOURCE_DIR "."  // the build says where the repository lies
#endif

namespace plumb::files::testing {

inline std::unique_ptr<DataSource> source(const std::string& name, const std::string& path,
                                          std::initializer_list<std::pair<std::string, Value>> more = {}) {
  static plumb::testing::PluginUnderTest plugin;
  Value params = Value::map({{"path", path}});
  for (const auto& [key, value] : more) params.set(key, value);
  return plugin.make<DataSource>(name, params);
}

template <class T>
std::vector<T> all(DataSource& from) {
  std::vector<T> rows;
  while (std::optional<Record> record = from.next()) rows.push_back(std::get<T>(std::move(*record)));
  return rows;
}

// By the reason, with or without its cure.
inline std::size_t skipped(const DataSource& from, const std::string& reason) {
  std::size_t out = 0;
  for (const auto& [known, count] : from.skipped()) {
    if (known.substr(0, known.find("; ")) == reason || known == reason) out += count;
  }
  return out;
}

class File {
 public:
  explicit File(const std::string& content, const std::string& name = "rows.jsonl") {
    std::string folder = (std::filesystem::temp_directory_path() / "plumb-files-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    std::ofstream(path(name), std::ios::binary) << content;
    name_ = name;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string path() const { return path(name_); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string folder() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
  std::string name_;
};

// The message of the Error(data) that reading to the end throws.
inline std::string refusal(DataSource& from) {
  try {
    while (from.next()) {
    }
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(ErrorCode::data));
    return error.what();
  }
  return "nothing was thrown";
}

inline std::string shared_data(const std::string& part) {
  const char* given = std::getenv("PLUMB_SHARED");
  const std::filesystem::path root = given != nullptr ? given : PLUMB_SOURCE_DIR "/../shared";
  if (std::filesystem::exists(root / "data" / part)) return (root / "data" / part).string();
  std::cout << "skipped: " << root / "data" / part << " is not there (set PLUMB_SHARED)\n";
  return {};
}

}  // namespace plumb::files::testing
