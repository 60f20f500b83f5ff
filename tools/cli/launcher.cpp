#include "tools/cli/launcher.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "plumb/error.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& file) {
  std::error_code absent;
  return fs::is_regular_file(file, absent) && ::access(file.c_str(), X_OK) == 0;
}

std::string program(const std::string& name) {
  if (name.find('/') != std::string::npos) return is_program(name) ? name : "";
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path file = fs::path(folder.empty() ? "." : folder) / name;
    if (is_program(file)) return file.string();
  }
  return "";
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool space = quote == '\0' && std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!space && !in_word) words.emplace_back();
    in_word = !space;
    if (space) continue;
    if (quote == '\0' ? c == '"' || c == '\'' : c == quote) {
      quote = quote == '\0' ? c : '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote != '\0') throw Error(ErrorCode::recipe, fmt::format("--launch: a quote {} has no end in {}", quote, text));
  return words;
}

}  // namespace

std::vector<std::string> launcher_words(const std::string& text) {
  std::vector<std::string> words = split(text);
  if (words.empty()) {
    throw Error(ErrorCode::recipe, "--launch holds no word; wanted a command such as \"srun -n1 --gpus 1\"");
  }
  const std::string found = program(words.front());
  if (found.empty()) {
    throw Error(ErrorCode::recipe, fmt::format("--launch \"{}\": there is no program {} here", text, words.front()) +
                                       (words.front().find('/') == std::string::npos ? " in any folder of PATH" : ""));
  }
  words.front() = found;
  return words;
}

}  // namespace plumb::cli
