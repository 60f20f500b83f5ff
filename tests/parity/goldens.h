// The goldens of tests/parity and what reads them.
//
//   SafetensorsFile forward = golden_tensors("forward_llama.safetensors");
//   LanguageModel model = open_golden("micro-llama");
//
// Thread contract: one thread.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "framework/core/artifacts/disk.h"
#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/safetensors.h"
#include "plumb/testing.h"

namespace plumb::test {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(PLUMB_SOURCE_DIR) / "tests" / "parity" / "goldens" / name;
}

inline SafetensorsFile golden_tensors(const std::string& name) {
  return open_safetensors(golden(name)).value();
}

inline Value golden_json(const std::string& name) {
  return parse_json(read_file(golden(name)).value(), golden(name).string());
}

// A part of the shared data, or empty with a note when it is not there.
inline std::filesystem::path shared_data(const std::string& part) {
  const char* given = std::getenv("PLUMB_SHARED");
  const std::filesystem::path root = given != nullptr ? given : PLUMB_SOURCE_DIR "/../shared";
  if (std::filesystem::exists(root / part)) return root / part;
  std::cout << "skipped: " << (root / part) << " is not there (set PLUMB_SHARED)\n";
  return {};
}

inline const Registry& plugins() {
  static const Registry built = Registry::scan(PluginSearch::standard());
  return built;
}

inline testing::FakeHost& host() {
  static testing::FakeHost made;
  return made;
}

inline LanguageModel open_golden(const std::string& name, OpenModel how = {}) {
  return open_language_model(golden(name), plugins(), host(), how);
}

inline std::vector<TokenId> ids_of(const Value& list) {
  std::vector<TokenId> out;
  for (const Value& id : list.as_list()) out.push_back(static_cast<TokenId>(id.as_int()));
  return out;
}

}  // namespace plumb::test
