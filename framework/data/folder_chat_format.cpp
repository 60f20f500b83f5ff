#include "framework/data/folder_chat_format.h"

#include <fmt/ranges.h>

#include "framework/artifacts/disk.h"
#include "framework/data/chat_format.h"

namespace plumb {

std::string folder_chat_format(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "plumb.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  const Value ours = read_json(file).value();
  const auto refuse = [&](const std::string& what) { return Error(ErrorCode::data, file.string() + ": " + what); };
  if (!ours.is_map()) throw refuse("it is no map");
  const Value* format = ours.find("chat_format");
  if (format == nullptr || format->is_null()) return {};
  if (!format->is_string()) throw refuse("\"chat_format\" is no string");
  if (!format->as_string().empty() && find_chat_format(format->as_string()) == nullptr) {
    throw refuse(fmt::format("chat format \"{}\" is not known; known are {}", format->as_string(),
                             fmt::join(chat_format_names(), ", ")));
  }
  return format->as_string();
}

}  // namespace plumb
