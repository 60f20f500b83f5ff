// A model folder made of links to another's files, as an artifact holds models that it does not own.
//
//   link_model_files("/models/llama", artifact.folder());       // the stage `model`
//   link_model_files(start.folder, folder / "base");            // what an adapter stands on
//
// A file of the same store (a folder beside the artifact's) is linked by a relative path, so that a folder of runs may
// be moved or copied; any other by its full path. An adapter's folder gets its base as base/ and an adapter_config.json
// that names it so; `cp -rL` of such a folder gives one that stands alone.
// Thread contract: [setup].
#pragma once

#include <filesystem>

namespace plumb {

inline constexpr const char* base_links_name = "base";

// config.json, weights and tokenizer files of `source`, not what a run left beside them. Links of an interrupted
// attempt are replaced. `store`: the folder within which links are relative. Throws Error(data) when `source` is no
// folder.
void link_model_files(const std::filesystem::path& source, const std::filesystem::path& folder,
                      const std::filesystem::path& store);

// One link, as above.
void link_file(const std::filesystem::path& target, const std::filesystem::path& link,
               const std::filesystem::path& store);

}  // namespace plumb
