// What the tokenizers' tests share: the golden texts, temporary files.
#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "plumb/json_fields.h"
#include "plumb/testing.h"
#include "plumb/tokenizer.h"

namespace plumb::tokenizers::testing {

// The shared data folder, or empty with a note when it is not there.
inline std::filesystem::path shared_data(const std::string& part) {
  const char* given = std::getenv("PLUMB_SHARED");
  const std::filesystem::path root = given != nullptr ? given : PLUMB_SOURCE_DIR "/../shared";
  std::filesystem::path found = root / part;
  if (std::filesystem::exists(found)) return found;
  std::cout << "skipped: " << found << " is not there (set PLUMB_SHARED)\n";
  return {};
}

// Every line of a golden file: its text must become its ids, and its ids its decoded text.
inline std::size_t check_goldens(const Tokenizer& tokenizer, const std::filesystem::path& file) {
  std::ifstream in(file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const Value row = parse_json(line);
    std::vector<TokenId> ids;
    for (const Value& id : row.at("ids").as_list()) ids.push_back(static_cast<TokenId>(id.as_int()));
    const std::vector<TokenId> got = tokenizer.encode(row.at("text").as_string());
    BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), ids.begin(), ids.end());
    BOOST_TEST(tokenizer.decode(ids) == row.at("decoded").as_string());
  }
  return count;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = std::filesystem::temp_directory_path() / ("plumb_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// The message of the Error(data) that `call` throws.
template <class F>
std::string refusal(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(ErrorCode::data));
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace plumb::tokenizers::testing
