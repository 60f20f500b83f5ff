#include "framework/engine/certificate/material.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/merged_model.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/rollout/rollout.h"
#include "framework/engine/stages/training_rows.h"
#include "plumb/json_rows.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr const char* kRun = "run.json";
constexpr std::size_t kRowsRead = 64;  // of a data set; enough to find prompts that fit

bool is_file(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

// The artifact that trained this one, by the key that the manifest recorded: it lies in the same store.
std::optional<Artifact> data_of(const fs::path& folder, const ArtifactManifest& manifest) {
  for (const auto& [parameter, key] : manifest.inputs) {
    if (parameter != "data") continue;
    Result<std::optional<Artifact>> found = ArtifactStore(fs::canonical(folder).parent_path()).find(key);
    return found ? *found : std::nullopt;
  }
  return std::nullopt;
}

Subject subject_at(const std::string& name, const fs::path& folder) {
  Subject subject{name, folder, false, {}, {}};
  if (Result<ArtifactManifest> manifest = read_manifest(folder)) {
    subject.reward = manifest->type == artifact_type::reward_model;
    subject.data = data_of(folder, *manifest);
    subject.manifest = std::move(*manifest);
  } else if (is_adapter_folder(folder)) {
    subject.reward = is_reward_adapter(folder);
  } else if (is_file(folder / "config.json")) {
    const Value config = read_json(folder / "config.json").value();
    subject.reward = is_reward_model(config);
  }
  return subject;
}

// A folder with the first rows of a data set, so that certifying does not tokenise all of it.
class FirstRows {
 public:
  FirstRows(const Artifact& data, Host& host)
      : folder_(fs::path(host.scratch_folder()) / fmt::format("certify-rows-{}", ::getpid())), rows_(data) {
    if (data.manifest.type == artifact_type::pairs) return;  // its rows point into another file: read as it is
    fs::create_directories(folder_);
    rows_.folder = folder_;
    for (const auto& file : fs::directory_iterator(data.folder)) {
      if (file.path().extension() != ".jsonl") continue;
      TextLines from(file.path().string());
      std::ofstream to(folder_ / file.path().filename());
      std::string line;
      for (std::size_t i = 0; i < kRowsRead && from.next(line); ++i) to << line << "\n";
    }
  }
  ~FirstRows() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  FirstRows(const FirstRows&) = delete;
  FirstRows& operator=(const FirstRows&) = delete;
  [[nodiscard]] const Artifact& rows() const { return rows_; }

 private:
  fs::path folder_;
  Artifact rows_;
};

SequenceGroup split(const MaskedSequence& row) {
  std::size_t first = 1;
  while (first + 1 < row.ids.size() && row.learn[first] == 0) ++first;
  const auto middle = row.ids.begin() + static_cast<std::ptrdiff_t>(first);
  return {{row.ids.begin(), middle}, {{middle, row.ids.end()}}};
}

std::vector<SequenceGroup> groups_of(const Artifact& data, const LanguageModel& model, Host& host) {
  const RowOptions options{.max_length = std::numeric_limits<std::int32_t>::max(), .use_sampled_ids = !model.score};
  const std::string& type = data.manifest.type;
  if (type == artifact_type::pairs || type == artifact_type::preferences) {
    return pair_rows(data, model, options, host).rows.groups;
  }
  std::vector<SequenceGroup> groups;
  const auto rows = type == artifact_type::texts ? language_rows(data, model, options, host).rows
                                                 : demonstration_rows(data, model, options, host).rows;
  for (const MaskedSequence& row : rows.rows) {
    if (row.ids.size() > 1) groups.push_back(split(row));
  }
  return groups;
}

// The first lines of a text, each a row by itself behind BOS.
std::vector<SequenceGroup> groups_of_text(const fs::path& file, const LanguageModel& model) {
  if (!model.tokenizer) throw Error(ErrorCode::data, model.folder.string() + " holds no tokenizer to read a text with");
  const auto bos = written_bos(*model.tokenizer);
  std::vector<SequenceGroup> groups;
  TextLines lines(file.string());
  for (std::string line; groups.size() < kRowsRead && lines.next(line);) {
    std::vector<TokenId> ids = model.tokenizer->encode(line);
    if (bos) ids.insert(ids.begin(), *bos);
    if (ids.size() < 2) continue;
    groups.push_back({{ids.front()}, {{ids.begin() + 1, ids.end()}}});
  }
  if (groups.empty()) throw Error(ErrorCode::data, file.string() + ": no line has two tokens");
  return groups;
}

void shorten(std::vector<SequenceGroup>& groups, std::int64_t context, const CertifyOptions& options) {
  const auto longest = static_cast<std::size_t>(std::max<std::int64_t>(1, std::min(options.longest, context / 2 - 8)));
  if (groups.size() > static_cast<std::size_t>(options.prompts))
    groups.resize(static_cast<std::size_t>(options.prompts));
  for (SequenceGroup& group : groups) {
    if (group.prompt.size() > longest)
      group.prompt.erase(group.prompt.begin(), group.prompt.end() - static_cast<std::ptrdiff_t>(longest));
    if (group.completions.size() > static_cast<std::size_t>(options.answers)) {
      group.completions.resize(static_cast<std::size_t>(options.answers));
    }
    for (auto& completion : group.completions) {
      if (completion.size() > longest) completion.resize(longest);
    }
  }
}

std::vector<TokenId> random_ids(std::size_t count, std::int64_t vocabulary, Random random) {
  std::vector<TokenId> ids;
  while (ids.size() < count) ids.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(vocabulary))));
  return ids;
}

void add_random_answers(SequenceGroup& group, std::int64_t vocabulary, Random random) {
  for (std::uint64_t a = 0; a < 2; ++a) {
    group.completions.push_back(random_ids(2 + random.below(20), vocabulary, random.derive(a)));
  }
}

std::vector<SequenceGroup> random_prompts(const LanguageModel& model, const CertifyOptions& options) {
  const std::int64_t vocabulary = model.shape().vocabulary;
  const TokenId bos = model.tokenizer ? model.tokenizer->special().bos.value_or(0) : 0;  // 0: as good as any
  std::vector<SequenceGroup> groups;
  for (std::int64_t i = 0; i < options.prompts; ++i) {
    Random random = Random(options.seed).derive("certify prompts").derive(static_cast<std::uint64_t>(i));
    groups.push_back({random_ids(3 + random.below(10), vocabulary, random.derive("prompt")), {}});
    groups.back().prompt.front() = bos;
  }
  return groups;
}

// The model's own answers beside the given ones, so that every prompt has several.
void draw_answers(std::vector<SequenceGroup>& groups, LanguageModel& model, Host& host, const CertifyOptions& options) {
  std::vector<TokenPrompt> prompts;
  for (const SequenceGroup& group : groups) prompts.push_back({std::to_string(prompts.size()), group.prompt});
  const std::int64_t room = model.shape().context / 2;
  const Sampling sampling{
      .responses = 2,
      .max_new_tokens = std::max<std::int64_t>(1, std::min<std::int64_t>({24, options.longest, room})),
      .temperature = 1,
      .top_k = 0,
      .top_p = 1,
      .seed = options.seed};
  sample_tokens(model, prompts, sampling, token_limits(model), {}, host,
                [&](std::size_t i, std::vector<SampledTokens>&& answers) {
                  for (SampledTokens& answer : answers) groups[i].completions.push_back(std::move(answer.ids));
                });
}

// Several answers for each prompt: a reward model draws none, and one that is broken cannot.
void add_answers(std::vector<SequenceGroup>& groups, LanguageModel& model, Host& host, const CertifyOptions& options) {
  try {
    if (!model.score) return draw_answers(groups, model, host, options);
  } catch (const Error&) {  // the checks say what is wrong
  }
  const Random random = Random(options.seed).derive("certify answers");
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].completions.size() > 1) continue;
    add_random_answers(groups[g], model.shape().vocabulary, random.derive(g));
  }
}

}  // namespace

std::vector<Subject> subjects_of(const fs::path& run_or_model) {
  std::error_code ignored;
  if (!fs::is_directory(run_or_model, ignored)) {
    throw Error(ErrorCode::data, run_or_model.string() + ": there is no such folder; name a run's or a model's");
  }
  if (!is_file(run_or_model / kRun)) {
    const fs::path folder = fs::canonical(run_or_model);
    return {subject_at((run_or_model.has_filename() ? run_or_model : run_or_model.parent_path()).filename().string(),
                       folder)};
  }
  std::vector<Subject> out;
  const Value run = read_json(run_or_model / kRun).value();
  for (const Value& stage : run.at("stages").as_list()) {
    const std::string& status = stage.at("status").as_string();
    const std::string& type = stage.at("type").as_string();
    if (status != "done" && status != "cached") continue;
    if (type != artifact_type::model && type != artifact_type::reward_model) continue;
    if (kind_of_section("models")->kind == stage.at("kind").as_string())
      continue;  // a start: what became of it is measured
    const std::string& name = stage.at("stage").as_string();
    out.push_back(subject_at(name, run_or_model / name));
  }
  if (out.empty()) {
    throw Error(ErrorCode::data, run_or_model.string() + ": this run trained no model; name a model folder instead");
  }
  return out;
}

LanguageModel open_subject(const Subject& subject, const Registry& registry, Host& host, OpenModel how) {
  how.reward_head = subject.reward;
  how.placement.device = subject.device;
  return open_language_model(subject.folder, registry, host, how);
}

std::vector<std::vector<TokenId>> Material::sequences() const {
  std::vector<std::vector<TokenId>> out;
  for (const SequenceGroup& group : groups) {
    for (const auto& completion : group.completions) {
      auto& row = out.emplace_back(group.prompt);
      row.insert(row.end(), completion.begin(), completion.end());
    }
  }
  return out;
}

std::int64_t Material::tokens() const {
  std::int64_t count = 0;
  for (const auto& row : sequences()) count += static_cast<std::int64_t>(row.size());
  return count;
}

TokenRows Material::demonstrations() const {
  TokenRows out;
  for (const SequenceGroup& group : groups) {
    for (const auto& completion : group.completions) {
      MaskedSequence row{group.prompt, std::vector<std::uint8_t>(group.prompt.size(), 0)};
      row.ids.insert(row.ids.end(), completion.begin(), completion.end());
      row.learn.resize(row.ids.size(), 1);
      out.rows.push_back(std::move(row));
      out.names.push_back("row " + std::to_string(out.rows.size()));
    }
  }
  return out;
}

PairRows Material::pairs() const {
  PairRows out;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    out.names.push_back("prompt " + std::to_string(g + 1));
    for (std::size_t c = 0; c < groups[g].completions.size(); ++c) {
      for (std::size_t r = c + 1; r < groups[g].completions.size(); ++r) {
        out.pairs.push_back({g, c, r, std::numeric_limits<double>::quiet_NaN()});
      }
    }
  }
  out.groups = groups;
  return out;
}

Material material_for(const Subject& subject, LanguageModel& model, Host& host, const CertifyOptions& options) {
  Material material;
  if (subject.data && model.tokenizer && model.chat_format != nullptr) {
    material.origin = "rows of " + subject.data->manifest.stage;
    material.groups = groups_of(FirstRows(*subject.data, host).rows(), model, host);
    material.known = material.groups;
  } else if (!options.text.empty()) {
    material.origin = "lines of " + options.text.filename().string();
    material.groups = groups_of_text(options.text, model);
    material.known = material.groups;
  } else {
    material.origin = model.score ? "random tokens" : "its answers to random prompts";
    material.groups = random_prompts(model, options);
  }
  shorten(material.groups, model.shape().context, options);
  if (!material.known.empty()) material.real = material.groups;
  add_answers(material.groups, model, host, options);
  return material;
}

}  // namespace plumb
