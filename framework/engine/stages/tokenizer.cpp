// Stage `tokenizer`: a byte-level BPE trained on the texts of an artifact, or one that exists.
// Output: tokenizer.json, tokenizer_config.json, special_tokens_map.json; or copies of the files of the one that exists
// and plumb.json, which names the component that reads them.
#include <fmt/format.h>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/data/bpe_training.h"
#include "framework/engine/modeling/tokenizer_choice.h"
#include "framework/engine/stages/body.h"

namespace plumb {
namespace {

void add(BpeTrainer& trainer, const Conversation& messages) {
  for (const Message& message : messages) trainer.add(message.content);
}

void add_rows(BpeTrainer& trainer, const Artifact& data) {
  if (data.manifest.type == artifact_type::preferences) {
    for (const Preference& row : read_preferences(data.folder / row_file::preferences).value()) {
      add(trainer, row.prompt.messages);
      trainer.add(row.chosen);
      trainer.add(row.rejected);
    }
  } else if (data.manifest.type == artifact_type::prompts) {
    for (const Prompt& row : read_prompts(data.folder / row_file::prompts).value()) add(trainer, row.messages);
  } else {
    for (const Demonstration& row : read_demonstrations(data.folder / row_file::demonstrations).value()) {
      add(trainer, row.messages);
    }
  }
}

void take_existing(const std::filesystem::path& source, StageContext& context) {
  const ChosenTokenizer chosen = open_tokenizer(source, "", context.registry(), context);
  if (chosen.tokenizer == nullptr) {
    throw Error(ErrorCode::data,
                fmt::format("path: {} holds no file that a tokenizer plugin recognises", source.string()));
  }
  for (const std::string& name : chosen.tokenizer->files()) {
    write_file(context.folder() / name, read_file(source / name).value()).value();
  }
  write_file(context.folder() / "plumb.json", to_json(Value::map({{"tokenizer", chosen.component}}), false, 2) + "\n")
      .value();
  context.summarise("component", chosen.component);
  context.summarise("vocabulary", static_cast<std::int64_t>(chosen.tokenizer->vocabulary_size()));
}

void train(const TokenizerSettings& settings, StageContext& context) {
  BpeTrainer trainer;
  add_rows(trainer, context.input("data"));
  const BpeVocabulary vocabulary = trainer.train(static_cast<std::size_t>(settings.vocabulary_size)).value();
  write_tokenizer(vocabulary, context.folder()).value();

  const auto size = static_cast<std::int64_t>(vocabulary.pieces.size());
  context.summarise("vocabulary", size);
  context.summarise("merges", static_cast<std::int64_t>(vocabulary.merges.size()));
  context.summarise("words", trainer.words());
  context.summarise("distinct_words", static_cast<std::int64_t>(trainer.distinct_words()));
  if (size < settings.vocabulary_size) {
    context.log(LogLevel::warning, "the texts give " + std::to_string(size) + " tokens, not " +
                                       std::to_string(settings.vocabulary_size) +
                                       ": no further pair of tokens occurs twice");
  }
}

void run(StageContext& context) {
  const TokenizerSettings settings = tokenizer_params().parse(context.params());
  settings.path ? take_existing(*settings.path, context) : train(settings, context);
}

const BodyRegistration registered("tokenizer", run);

}  // namespace

}  // namespace plumb
