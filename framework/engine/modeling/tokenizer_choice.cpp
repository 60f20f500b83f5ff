#include "framework/engine/modeling/tokenizer_choice.h"

#include <fmt/format.h>

#include "framework/core/components/load_tokenizer.h"

namespace plumb {
namespace fs = std::filesystem;
ChosenTokenizer open_tokenizer(const fs::path& folder, const std::string& component, const Registry& registry,
                               Host& host) {
  TokenizerOrigin origin{nullptr, folder};
  std::string name = component;
  if (name.empty()) {
    origin = find_tokenizer_file(registry, folder);
    if (origin.component == nullptr) return {};
    name = origin.component->info.name;
  }
  return {make_tokenizer(registry, name, origin.file, host), name, folder};
}

void give_tokenizer(LanguageModel& model, ChosenTokenizer chosen) {
  if (chosen.tokenizer == nullptr) return;
  const auto ids = static_cast<std::int64_t>(chosen.tokenizer->vocabulary_size());
  const std::int64_t room = model.shape().vocabulary;
  const auto padding = chosen.tokenizer->special().pad;
  const bool padding_only = padding && ids == room + 1 && *padding == room;
  if (ids > room && !padding_only) {
    throw Error(ErrorCode::data, fmt::format("{}: the tokenizer has {} ids, but the model's vocab_size is {}; they do "
                                             "not belong together",
                                             chosen.folder.string(), ids, room));
  }
  model.tokenizer = std::move(chosen.tokenizer);
  model.tokenizer_component = std::move(chosen.component);
  model.tokenizer_folder = std::move(chosen.folder);
}

}  // namespace plumb
