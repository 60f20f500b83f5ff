#include "framework/modeling/tokenizer_choice.h"

#include <fmt/format.h>

#include "framework/registry/registry.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

// Llama folders hold tokenizer.model and tokenizer.json, which say the same; the former is the original.
constexpr const char* kOriginal = "tokenizer.model";

std::string component_for(const fs::path& folder, const Registry& registry) {
  std::string found;
  for (const KnownComponent* component : registry.all("tokenizer")) {
    for (const std::string& file : component->info.claims) {
      std::error_code ignored;
      if (!fs::exists(folder / file, ignored)) continue;
      if (file == kOriginal) return component->info.name;
      if (found.empty()) found = component->info.name;
    }
  }
  return found;
}

}  // namespace

ChosenTokenizer open_tokenizer(const fs::path& folder, const std::string& component, const Registry& registry,
                               Host& host) {
  const std::string name = component.empty() ? component_for(folder, registry) : component;
  if (name.empty()) return {};
  const std::string path = fs::absolute(folder).string();
  return {registry.make<Tokenizer>(name, Value::map({{"path", path}}), host), name, folder};
}

void give_tokenizer(LanguageModel& model, ChosenTokenizer chosen) {
  if (chosen.tokenizer == nullptr) return;
  const auto ids = static_cast<std::int64_t>(chosen.tokenizer->vocabulary_size());
  const std::int64_t room = model.model->shape().vocabulary;
  if (ids > room) {
    throw Error(ErrorCode::data, fmt::format("{}: the tokenizer has {} ids, but the model's vocab_size is {}; they do "
                                             "not belong together",
                                             chosen.folder.string(), ids, room));
  }
  model.tokenizer = std::move(chosen.tokenizer);
  model.tokenizer_component = std::move(chosen.component);
  model.tokenizer_folder = std::move(chosen.folder);
}

}  // namespace plumb
