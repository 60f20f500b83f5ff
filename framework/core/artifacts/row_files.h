// The files that hold an artifact's rows, by its type (artifact.h).
//
//   auto rows = read_demonstrations(artifact.folder / row_file::demonstrations).value();
//
// Thread contract: constants.
#pragma once

namespace plumb::row_file {

inline constexpr const char* prompts = "prompts.jsonl";
inline constexpr const char* demonstrations = "demonstrations.jsonl";  // of texts, too
inline constexpr const char* preferences = "preferences.jsonl";
inline constexpr const char* responses = "responses.jsonl";  // of scored responses and of pairs, too
inline constexpr const char* pairs = "pairs.jsonl";

}  // namespace plumb::row_file
