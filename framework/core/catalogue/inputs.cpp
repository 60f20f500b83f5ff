// What a recipe starts from: datasets, models, tokenizers.
#include <algorithm>
#include <set>

#include "framework/core/catalogue/catalogue.h"
#include "framework/core/data/chat_format.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<DatasetSettings> declare_dataset() {
  Declared<DatasetSettings> d{"rows of a data source, as one file of records"};
  auto& p = d.params;
  p.add(&DatasetSettings::source, "source", "where the rows come from").component("data-source").required();
  p.add(&DatasetSettings::as, "as",
        "another type of row made of each: the prompt of a preference or demonstration, the chosen answer of a "
        "preference "
        "as a demonstration, the plain text")
      .choices({type::prompts, type::demonstrations, type::texts});
  p.add(&DatasetSettings::shuffle, "shuffle", "shuffle by the run's seed before skip and limit");
  p.add(&DatasetSettings::count_by, "count_by",
        "what shuffle, skip and limit count: rows; or prompts, each with all its rows, so that disjoint parts of one "
        "source share no prompt")
      .choices({"rows", "prompts"});
  p.add(&DatasetSettings::skip, "skip", "rows (or prompts) left out at the start, for disjoint parts of one source")
      .at_least(0);
  p.add(&DatasetSettings::limit, "limit", "rows (or prompts) kept after those; 0 keeps all").at_least(0);
  d.rule([](const DatasetSettings& s) -> std::string {
    const bool counts = s.shuffle || s.skip > 0 || s.limit > 0;
    return counts || s.count_by == "rows" ? "" : "count_by: has no effect without shuffle, skip or limit";
  });
  return d;
}

std::string broken_mix(const MixSettings& s) {
  if (s.data.empty()) return "data: the list is empty; name at least one dataset";
  if (std::set<std::string>(s.data.begin(), s.data.end()).size() != s.data.size()) {
    return "data: the same dataset stands in the list twice";
  }
  if (s.weights.is_null()) return {};
  if (!s.weights.is_map()) return "weights: must be a map from datasets to the part of each that is taken";
  for (const auto& [name, weight] : s.weights.as_map()) {
    if (std::find(s.data.begin(), s.data.end(), name) == s.data.end()) {
      return "weights: " + name + " is not in `data`";
    }
    const bool number = weight.type() == Value::Type::integer || weight.type() == Value::Type::real;
    if (!number || !(weight.as_double() > 0 && weight.as_double() <= 1)) {
      return "weights: of " + name + ": wanted a number above 0 and at most 1, the part of its rows that is taken";
    }
  }
  return {};
}

Declared<MixSettings> declare_mix() {
  Declared<MixSettings> d{"rows of several datasets in one, shuffled by the run's seed"};
  auto& p = d.params;
  p.add(&MixSettings::data, "data", "the datasets, all of one type; each has its own `limit`")
      .accepts({type::prompts, type::demonstrations, type::preferences, type::texts})
      .required();
  p.add(&MixSettings::weights, "weights",
        "by dataset, the part of its rows that is taken, drawn by the run's seed: {hh: 0.1}; absent: all of them");
  p.add(&MixSettings::limit, "limit", "rows of the mixture; 0 keeps all").at_least(0).unit("rows");
  d.rule(broken_mix);
  return d;
}

std::string broken_model(const ModelSettings& s) {
  if (s.path && s.architecture) {
    return "architecture: give either path (a model that exists) or architecture (random weights), not both";
  }
  if (!s.path && !s.architecture) {
    return "needs path (the folder of a model that exists) or architecture (random weights of that kind)";
  }
  if (s.path && !s.config.is_null()) return "config: only for random weights; the config.json in path decides";
  if (s.architecture && !s.config.is_map()) {
    return s.config.is_null() ? "random weights need config, a map of config.json keys such as hidden_size"
                              : "config: must be a map of config.json keys such as hidden_size";
  }
  if (s.architecture && !s.tokenizer) return "random weights need tokenizer, a stage of kind tokenizer or a model";
  if (s.architecture && !s.chat_format) {
    return "random weights need chat_format: how conversations become tokens";
  }
  return {};
}

Declared<ModelSettings> declare_model() {
  Declared<ModelSettings> d{"a model to start from: a Hugging Face folder, or random weights"};
  auto& p = d.params;
  p.add(&ModelSettings::path, "path", "folder with config.json, safetensors and tokenizer files").path();
  p.add(&ModelSettings::architecture, "architecture", "random weights of this kind of model").component("model");
  p.add(&ModelSettings::config, "config",
        "keys of config.json for random weights; the vocabulary comes from the tokenizer");
  p.add(&ModelSettings::tokenizer, "tokenizer", "a trained tokenizer, or a model whose tokenizer is taken")
      .accepts({type::tokenizer, type::model});
  p.add(&ModelSettings::chat_format, "chat_format", "how conversations become tokens; stored with the model")
      .choices(chat_format_names());
  d.rule(broken_model);
  return d;
}

Declared<TokenizerSettings> declare_tokenizer() {
  Declared<TokenizerSettings> d{"train a byte-level BPE tokenizer, or take one that exists"};
  auto& p = d.params;
  p.add(&TokenizerSettings::data, "data", "text to learn the merges from")
      .accepts({type::texts, type::demonstrations, type::preferences});
  p.add(&TokenizerSettings::path, "path", "instead of data: a folder with the files of a tokenizer that a plugin reads")
      .path();
  p.add(&TokenizerSettings::vocabulary_size, "vocabulary_size",
        "tokens, with 256 bytes and the special tokens among them")
      .at_least(260)
      .at_most(1 << 20)
      .unit("tokens");
  d.rule([](const TokenizerSettings& s) -> std::string {
    if (s.data && s.path) return "path: give either data (to train one) or path (one that exists), not both";
    if (s.path && s.vocabulary_size != TokenizerSettings{}.vocabulary_size)
      return "vocabulary_size: has no effect beside path: a tokenizer that exists has its own";
    return s.data || s.path ? "" : "needs data (to train one) or path (the folder of one that exists)";
  });
  return d;
}

}  // namespace

Params<DatasetSettings> dataset_params() {
  return declare_dataset().with_rules();
}
Params<MixSettings> mix_params() {
  return declare_mix().with_rules();
}
Params<ModelSettings> model_params() {
  return declare_model().with_rules();
}
Params<TokenizerSettings> tokenizer_params() {
  return declare_tokenizer().with_rules();
}

StageKind dataset_kind() {
  StageKind kind = declare_dataset().kind("dataset", "*", "source");
  kind.section = "datasets";
  kind.uses_seed = [](const Value& params) { return params.at("shuffle").as_bool(); };
  return kind;
}
StageKind mix_kind() {
  return declare_mix().kind("mix", "*", "data");
}
StageKind model_kind() {
  StageKind kind = declare_model().kind("model", type::model);
  kind.section = "models";
  kind.uses_seed = [](const Value& params) { return !params.at("architecture").is_null(); };
  return kind;
}
StageKind tokenizer_kind() {
  StageKind kind = declare_tokenizer().kind("tokenizer", type::tokenizer);
  kind.uses_seed = [](const Value&) { return false; };
  return kind;
}

}  // namespace plumb
