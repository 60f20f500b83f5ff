#include "plumb/json_rows.h"

#include <algorithm>
#include <filesystem>

#include "plumb/error.h"
#include "plumb/random.h"

namespace plumb {
inline namespace v1 {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListLimit = std::size_t{1} << 30;

bool blank(std::string_view line) {
  return line.find_first_not_of(" \t") == std::string_view::npos;
}

bool is_data_name(std::string name) {
  for (const char* packed : {".gz", ".zst"}) {
    if (name.ends_with(packed)) name.erase(name.size() - std::string_view(packed).size());
  }
  return name.ends_with(".json") || name.ends_with(".jsonl");
}

}  // namespace

JsonRows::JsonRows(const std::string& path) : fields_(path), lines_(path) {}
JsonRows::~JsonRows() = default;

bool JsonRows::next_line(std::string& line) {
  broken_ = true;  // stays so when this throws
  const bool more = lines_.next(line);
  broken_ = false;
  return more;
}

// A list may stand on one line or on many; it is read as a whole.
void JsonRows::read_list(std::string first) {
  const auto line = static_cast<int>(lines_.number());
  std::string text = std::move(first), more;
  while (next_line(more)) {
    text += '\n';
    text += more;
    if (text.size() > kListLimit) {
      throw Error(ErrorCode::data,
                  fields_.origin() + ": the JSON list has more than 1073741824 bytes; write one row a line");
    }
  }
  list_ = parse_json(text, fields_.origin(), line).as_list();
  is_list_ = true;
}

std::optional<Value> JsonRows::next() {
  std::string line;
  while (!is_list_) {
    if (!next_line(line)) return std::nullopt;
    if (blank(line)) continue;
    if (!started_ && line.find_first_not_of(" \t") == line.find('[')) {
      started_ = true;
      read_list(std::move(line));
      break;
    }
    started_ = true;
    return parse_json(line, fields_.origin(), static_cast<int>(lines_.number()));
  }
  if (next_ == list_.size()) return std::nullopt;
  return std::move(list_[next_++]);
}

std::vector<std::string> data_files(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (!fs::exists(path, error)) throw Error(ErrorCode::data, path + ": there is no such file or folder");
    return {path};
  }
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file(error) && is_data_name(entry.path().filename().string()))
      files.push_back(entry.path().string());
  }
  if (files.empty()) {
    throw Error(ErrorCode::data, path + ": holds no data file (.json or .jsonl, also compressed as .gz or .zst)");
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string content_id(const Conversation& messages) {
  Random key(0);
  for (const Message& message : messages) key = key.derive(message.role).derive(message.content);
  static const char* digits = "0123456789abcdef";
  std::string id(16, '0');
  for (std::size_t i = 0; i < 16; ++i) id[i] = digits[key.key() >> (60 - 4 * i) & 15];
  return id;
}

}  // namespace v1
}  // namespace plumb
