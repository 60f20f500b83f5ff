// The chat format that a model's folder names, without opening the model.
//
//   const std::string format = folder_chat_format("runs/demo/sft");    // "plain"; empty when the folder names none
//
// Thread contract: [any].
#pragma once

#include <filesystem>
#include <string>

namespace plumb {

// "chat_format" in plumb.json beside config.json. Empty without the file or the key. Throws Error(data) that names the
// file for one that cannot be read, that holds no map, or whose format is no text or not known.
std::string folder_chat_format(const std::filesystem::path& folder);

}  // namespace plumb
