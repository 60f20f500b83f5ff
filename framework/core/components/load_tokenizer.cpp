#include "framework/core/components/load_tokenizer.h"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <vector>

#include "framework/core/artifacts/disk.h"
#include "framework/core/components/make.h"
#include "plumb/text.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

// The file names that the tokenizers at hand recognise.
std::set<std::string> recognised(const Registry& registry) {
  std::set<std::string> names;
  for (const KnownComponent* known : registry.all("tokenizer")) {
    names.insert(known->info.claims.begin(), known->info.claims.end());
  }
  return names;
}

std::string listed(const std::set<std::string>& names) {
  return names.empty() ? "nothing: no tokenizer plugin was found" : joined({names.begin(), names.end()});
}

// Llama's tokenizers are made anew from tokenizer.model when the configuration says this.
bool prefers_model(const fs::path& folder) {
  std::error_code ignored;
  const fs::path file = folder / "tokenizer_config.json";
  if (!fs::exists(file, ignored)) return false;
  const auto config = read_json(file);
  if (!config || !config->is_map()) return false;  // whoever reads the tokenizer says what is wrong with it
  const Value* name = config->find("tokenizer_class");
  const Value* prefix = config->find("add_prefix_space");
  return name != nullptr && name->is_string() && name->as_string().starts_with("LlamaTokenizer") && prefix != nullptr &&
         !prefix->is_null();
}

// The recognised name that decides which plugin reads the file, or empty.
std::string deciding_name(const fs::path& file, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    if (file.filename() == name) return name;
  }
  for (const std::string& name : names) {
    if (file.extension() == fs::path(name).extension()) return name;
  }
  return {};
}

// The component that a folder made here names in its plumb.json, or null.
const KnownComponent* named_component(const Registry& registry, const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / "plumb.json", ignored)) return nullptr;
  const auto ours = read_json(folder / "plumb.json");
  const Value* name = ours && ours->is_map() ? ours->find("tokenizer") : nullptr;
  return name != nullptr && name->is_string() ? registry.find("tokenizer", name->as_string()) : nullptr;
}

class GuardedTokenizer final : public Tokenizer {
 public:
  explicit GuardedTokenizer(Made<Tokenizer> made) : made_(std::move(made)) {}
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool continues) const override {
    return made_.call(&Tokenizer::encode, text, continues);
  }
  [[nodiscard]] std::vector<TokenId> encode_with_special(std::string_view text) const override {
    return made_.call(&Tokenizer::encode_with_special, text);
  }
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool keep_special) const override {
    return made_.call(&Tokenizer::decode, ids, keep_special);
  }
  [[nodiscard]] std::string piece_bytes(TokenId id) const override { return made_.call(&Tokenizer::piece_bytes, id); }
  [[nodiscard]] std::optional<TokenId> find(std::string_view piece) const override {
    return made_.call(&Tokenizer::find, piece);
  }
  [[nodiscard]] std::size_t vocabulary_size() const override { return made_.call(&Tokenizer::vocabulary_size); }
  [[nodiscard]] SpecialTokens special() const override { return made_.call(&Tokenizer::special); }
  [[nodiscard]] std::vector<std::string> files() const override { return made_.call(&Tokenizer::files); }

 private:
  Made<Tokenizer> made_;
};

TokenizerOrigin origin_of(const Registry& registry, const fs::path& path, const std::set<std::string>& names) {
  if (!fs::is_directory(path)) return {registry.claiming("tokenizer", deciding_name(path, names)), path};
  const KnownComponent* named = named_component(registry, path);
  return named != nullptr ? TokenizerOrigin{named, path} : find_tokenizer_file(registry, path);
}

}  // namespace

TokenizerOrigin find_tokenizer_file(const Registry& registry, const fs::path& folder) {
  const std::set<std::string> names = recognised(registry);
  std::vector<std::string> order{"tokenizer.json", "tokenizer.model"};
  if (prefers_model(folder)) std::swap(order[0], order[1]);
  order.insert(order.end(), names.begin(), names.end());
  for (const std::string& name : order) {
    std::error_code ignored;
    if (names.contains(name) && fs::exists(folder / name, ignored)) {
      return {registry.claiming("tokenizer", name), folder / name};
    }
  }
  return {};
}

std::unique_ptr<Tokenizer> make_tokenizer(const Registry& registry, const std::string& name, const fs::path& path,
                                          Host& host) {
  return std::make_unique<GuardedTokenizer>(
      make<Tokenizer>(registry, name, Value::map({{"path", fs::absolute(path).string()}}), host));
}

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const Registry& registry, const fs::path& path, Host& host) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return Error(ErrorCode::data,
                 fmt::format("{}: there is no such file or folder; wanted a tokenizer's", path.string()));
  }
  const std::set<std::string> names = recognised(registry);
  try {
    const TokenizerOrigin origin = origin_of(registry, path, names);
    if (origin.component == nullptr) {
      return Error(ErrorCode::data, fmt::format("{}: holds no tokenizer that is recognised; recognised files are {}",
                                                path.string(), listed(names)));
    }
    const std::string full = origin.component->plugin->id + ":" + origin.component->info.name;
    return make_tokenizer(registry, full, origin.file, host);
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace plumb
