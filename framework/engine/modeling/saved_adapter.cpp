#include "framework/engine/modeling/saved_adapter.h"

#include <ATen/ops/equal.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "framework/engine/modeling/lora.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

using TensorMap = std::map<std::string, at::Tensor>;
using Declare = std::function<std::shared_ptr<Parameters>(const Value&)>;

constexpr std::string_view kBase = ".base_layer.";

// Takes the suffix off; false when the name has another.
bool take_suffix(std::string& name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  name.erase(name.size() - suffix.size());
  return true;
}

std::string module_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

void sort_in(SavedAdapter& out, const std::string& entry) {
  using Layer = SavedAdapter::Layer;
  if (!entry.starts_with(adapter_prefix)) {
    throw out.wrong(fmt::format("tensor {} does not begin with {}, as those of PEFT do", entry, adapter_prefix));
  }
  std::string name = entry.substr(adapter_prefix.size());
  const std::pair<std::string_view, std::string Layer::*> parts[] = {
      {".lora_A.weight", &Layer::a},
      {".lora_B.weight", &Layer::b},
      {".lora_magnitude_vector", &Layer::magnitude},
      {".lora_magnitude_vector.weight", &Layer::magnitude}};
  for (const auto& [suffix, part] : parts) {
    if (!take_suffix(name, suffix)) continue;
    Layer& layer = out.linears[name];
    layer.*part = entry;
    layer.module = name;
    return;
  }
  const bool a = take_suffix(name, ".lora_embedding_A");
  if (a || take_suffix(name, ".lora_embedding_B")) {
    Layer& layer = out.tables[name];
    (a ? layer.a : layer.b) = entry;
    layer.module = name;
  } else if (name.find(".lora_") != std::string::npos || name.find("trainable_tokens") != std::string::npos) {
    throw out.wrong(fmt::format("tensor {} belongs to a sort of adapter that is not computed here", entry));
  } else {
    if (const auto at = name.find(kBase); at != std::string::npos) name.erase(at, kBase.size() - 1);
    out.whole[name] = entry;
  }
}

template <class Map>
void rename(Map& map, const std::string& from, const std::string& to) {
  auto node = map.extract(from);
  if (node.empty()) return;
  node.key() = to;
  map.insert(std::move(node));
}

// transformers 5 has given some output layers another name than their files.
void name_output(SavedAdapter& adapter, Parameters& declared) {
  constexpr const char* names[] = {"lm_head", "embed_out"};
  for (const int here : {0, 1}) {
    const std::string to = names[here], from = names[1 - here];
    if (declared.find_linear(to) == nullptr || declared.find_linear(from) != nullptr) continue;
    rename(adapter.linears, from, to);
    rename(adapter.whole, from + ".weight", to + ".weight");
    std::replace(adapter.config.saved.begin(), adapter.config.saved.end(), from, to);
  }
}

// A linear layer that has no weight of its own, and the table it shares.
struct Tie {
  std::string head, table;  // "lm_head", "model.embed_tokens.weight"
};

std::vector<Tie> ties_of(Parameters& parameters) {
  std::vector<Tie> out;
  for (const std::string& name : parameters.linear_names()) {
    if (parameters.find(name + ".weight") != nullptr) continue;
    for (const Parameter* parameter : parameters.all()) {
      if (parameter->tensor == &parameters.find_linear(name)->weight) out.push_back({name, parameter->name});
    }
  }
  return out;
}

// Whether head and table part; where both stay one, what was saved of either is put under the table's name.
bool part(const SavedAdapter& adapter, const Tie& tie, TensorMap& saved) {
  const AdapterConfig& config = adapter.config;
  const std::string head = tie.head + ".weight", module = module_of(tie.table);
  const bool adapted = adapter.tables.contains(module) || adapter.linears.contains(tie.head);
  if (adapted && config.ties) {
    throw config.refused("\"ensure_weight_tying\" is set for adapters of a tied head and table");
  }
  const auto of_head = saved.find(head), of_table = saved.find(tie.table);
  if (of_head == saved.end() && of_table == saved.end()) return adapted;
  if (of_head != saved.end() && of_table != saved.end()) {
    if (adapted || !at::equal(of_head->second, of_table->second)) return true;
    saved.erase(of_head);
    return false;
  }
  // A module to save is a copy beside the shared one, which the other goes on using.
  if (!config.ties && config.saves(of_head != saved.end() ? tie.head : module)) return true;
  const at::Tensor shared = of_head != saved.end() ? of_head->second : of_table->second;
  saved[tie.table] = shared;
  if (adapted) {
    saved[head] = shared;
  } else {
    saved.erase(head);
  }
  return adapted;
}

void part_ties(const SavedAdapter& adapter, BaseWeights& base, TensorMap& saved, const Declare& declare) {
  const auto declared = declare(base.config);
  bool parted = false;
  for (const Tie& tie : ties_of(*declared)) {
    if (!part(adapter, tie, saved)) continue;
    parted = true;
    if (!saved.contains(tie.head + ".weight") && base.tensors.contains(tie.table)) {
      base.tensors[tie.head + ".weight"] = base.tensors.at(tie.table);
    }
  }
  if (!parted) return;
  base.config.set("tie_word_embeddings", false);
  if (const auto left = ties_of(*declare(base.config)); !left.empty()) {
    throw adapter.wrong(
        fmt::format("it changes {} and {} apart, which this architecture always shares", left[0].head, left[0].table));
  }
}

// vocab_size of saved tables that have another number of rows than the base's.
std::optional<std::int64_t> rows_of(const TensorMap& saved, std::int64_t before, Parameters& declared) {
  for (const auto& [name, tensor] : saved) {
    const Parameter* parameter = declared.find(name);
    if (parameter == nullptr || parameter->shape.size() != 2 || tensor.dim() != 2) continue;
    const bool wider = tensor.size(1) != parameter->shape[1];
    if (parameter->shape[0] == before && !wider && tensor.size(0) != before) return tensor.size(0);
  }
  return std::nullopt;
}

void fit_rows(const SavedAdapter& adapter, Value& config, const TensorMap& saved, const Declare& declare) {
  const Value* given = config.find("vocab_size");
  if (given == nullptr || given->type() != Value::Type::integer) return;
  const std::int64_t before = given->as_int();
  const auto declared = declare(config);
  const auto rows = rows_of(saved, before, *declared);
  if (!rows) return;
  config.set("vocab_size", *rows);
  const auto resized = declare(config);
  for (const Parameter* parameter : resized->all()) {
    const Parameter* old = declared->find(parameter->name);
    if (old != nullptr && old->shape == parameter->shape) continue;
    const auto found = saved.find(parameter->name);
    if (found != saved.end() && found->second.sizes() == at::IntArrayRef(parameter->shape)) continue;
    throw adapter.wrong(
        fmt::format("the vocabulary was resized from {} rows to {}, but {} of {} rows is not there, too "
                    "(PEFT saves both with save_embedding_layers=True)",
                    before, *rows, parameter->name, *rows));
  }
}

void check_whole(const SavedAdapter& adapter, const BaseWeights& base, const TensorMap& saved, Parameters& declared) {
  for (const auto& [name, tensor] : saved) {
    const std::string& entry = adapter.whole.contains(name) ? adapter.whole.at(name) : name;
    if (name.starts_with(base.head + ".")) {
      if (base.reward) continue;
      throw adapter.wrong(
          fmt::format("tensor {} is a reward head; this is a reward model, not a language model", entry));
    }
    const Parameter* parameter = declared.find(name);
    if (parameter == nullptr) {
      throw adapter.wrong(fmt::format("tensor {} belongs to no part of the base model", entry));
    }
    if (tensor.sizes() == at::IntArrayRef(parameter->shape)) continue;
    throw adapter.wrong(fmt::format("tensor {} has shape [{}]; the base model needs [{}]", entry,
                                    fmt::join(tensor.sizes(), ", "), fmt::join(parameter->shape, ", ")));
  }
}

// What modules_to_save lists has been trained: without its tensors the base's would stand in its place unseen.
void check_saved(const SavedAdapter& adapter, Parameters& declared) {
  for (const std::string& wanted : adapter.config.saved) {
    const auto within = [&](const std::string& parameter) {
      return ("." + parameter).find("." + wanted + ".") != std::string::npos;
    };
    const auto all = declared.all();
    if (std::none_of(all.begin(), all.end(), [&](const Parameter* p) { return within(p->name); })) continue;
    if (std::any_of(adapter.whole.begin(), adapter.whole.end(), [&](const auto& w) { return within(w.first); }))
      continue;
    throw adapter.config.refused(
        fmt::format("\"modules_to_save\" holds \"{}\", of which {} has no tensor", wanted, adapter.file.string()));
  }
}

// A module that is saved whole is the end of what an adapter below made of it, which A and B would be added to again.
void check_order(const SavedAdapter& lower, const SavedAdapter& upper) {
  for (const auto& [name, entry] : upper.whole) {
    const std::string module = module_of(name);
    if (!lower.linears.contains(module) && !lower.tables.contains(module)) continue;
    throw upper.wrong(
        fmt::format("tensor {} replaces what the adapter below, {}, adapts; merge that one first (plumb merge)", entry,
                    lower.file.parent_path().string()));
  }
}

void fit_one(SavedAdapter& adapter, BaseWeights& base, const Declare& declare) {
  TensorMap saved;
  for (const auto& [name, entry] : adapter.whole) saved[name] = adapter.tensors.tensor(entry);
  part_ties(adapter, base, saved, declare);
  fit_rows(adapter, base.config, saved, declare);
  const auto declared = declare(base.config);
  check_whole(adapter, base, saved, *declared);
  check_saved(adapter, *declared);
  for (const auto& [name, tensor] : saved) base.tensors[name] = tensor;
}

}  // namespace

bool SavedAdapter::changes_weights(const std::string& head) const {
  if (!tables.empty() || config.start != AdapterConfig::Start::plain) return true;
  return std::any_of(whole.begin(), whole.end(), [&](const auto& w) { return !w.first.starts_with(head + "."); });
}

Error SavedAdapter::wrong(const std::string& what) const {
  return {ErrorCode::data, fmt::format("{}: {}", file.string(), what)};
}

SavedAdapter read_saved_adapter(const fs::path& folder) {
  SavedAdapter out{read_adapter_config(folder).value(), folder / adapter_tensors_name, {}, {}, {}, {}};
  out.tensors = open_safetensors(out.file).value();
  for (const TensorEntry& entry : out.tensors.entries()) sort_in(out, entry.name);
  // DoRA's vector of a table bears the name of a linear layer's.
  for (auto& [module, table] : out.tables) {
    const auto same = out.linears.find(module);
    if (same == out.linears.end() || !same->second.a.empty() || !same->second.b.empty()) continue;
    table.magnitude = same->second.magnitude;
    out.linears.erase(same);
  }
  for (const auto* group : {&out.linears, &out.tables}) {
    for (const auto& [module, layer] : *group) {
      if (out.config.chooses(module)) continue;
      throw out.wrong(fmt::format("it holds an adapter for {}, which {} does not choose: PEFT would leave it out",
                                  module, out.config.file.filename().string()));
    }
  }
  if (out.linears.empty() && out.tables.empty()) throw out.wrong("it holds no adapter");
  return out;
}

void fit_base(const std::vector<SavedAdapter*>& adapters, BaseWeights& base, const Declare& declare) {
  if (adapters.empty()) return;
  const auto declared = declare(base.config);
  for (SavedAdapter* adapter : adapters) name_output(*adapter, *declared);  // before their names are compared
  for (std::size_t upper = 0; upper < adapters.size(); ++upper) {
    for (std::size_t lower = 0; lower < upper; ++lower) check_order(*adapters[lower], *adapters[upper]);
    fit_one(*adapters[upper], base, declare);
  }
}

}  // namespace plumb
