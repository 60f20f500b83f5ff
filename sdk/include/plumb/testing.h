// Fixtures for a plugin's own unit tests. A test program is built from the plugin's objects (plumb_add_plugin … TESTS),
// so it reaches components exactly as the framework does: through the entry.
//
//   plumb::testing::PluginUnderTest plugin;
//   auto policy = plugin.make<plumb::SelectionPolicy>("reward-gap", plumb::Value::map({{"eta", 0.9}}));
//   auto group = plumb::testing::scored_group("p1", {0.1, 2.5, -1.0});
//
// Thread contract: [setup].
#pragma once

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plumb/abi.h"
#include "plumb/error.h"
#include "plumb/host.h"
#include "plumb/language_models.h"
#include "plumb/policy_texts.h"
#include "plumb/records.h"
#include "plumb/registrar.h"
#include "plumb/tokenizer.h"
#include "plumb/utf8.h"

extern "C" const plumb::abi::PluginEntry* plumb_plugin_entry_v1();

namespace plumb::testing {

// A host that keeps what it is told and runs loops in the calling thread.
class FakeHost final : public Host {
 public:
  void log(LogLevel, std::string_view message) override { messages.emplace_back(message); }
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return cancel; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return scratch; }
  [[nodiscard]] std::string recipe_folder() const override { return recipe; }
  [[nodiscard]] void* query(std::string_view service) override {
    if (service == PolicyTexts::service) return texts;
    return service == LanguageModels::service ? models : nullptr;
  }

  LanguageModels* models = nullptr;  // the test's own
  PolicyTexts* texts = nullptr;      // likewise
  std::vector<std::string> messages;
  std::string scratch = "/tmp", recipe = ".";
  bool cancel = false;
};

// A token for each byte, its id the byte's value above `first`, and tokens with spellings of their own.
class ByteTokenizer : public Tokenizer {
 public:
  explicit ByteTokenizer(TokenId first_id = 3, std::map<TokenId, std::string> spelt = {{1, "<s>"}, {2, "</s>"}})
      : first(first_id), spellings(std::move(spelt)) {}

  TokenId first;
  std::map<TokenId, std::string> spellings;
  SpecialTokens specials{.bos = 1, .eos = 2, .pad = {}, .unk = {}};
  std::string prefix;  // before a text that goes on after no other, as SentencePiece's dummy prefix

  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool continues = false) const override {
    std::vector<TokenId> ids;
    for (const char c : (continues ? "" : prefix) + std::string(text)) ids.push_back(id_of(c));
    return ids;
  }
  [[nodiscard]] std::vector<TokenId> encode_with_special(std::string_view text) const override {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      const auto spelt = std::find_if(spellings.begin(), spellings.end(),
                                      [&](const auto& known) { return text.starts_with(known.second); });
      ids.push_back(spelt == spellings.end() ? id_of(text[0]) : spelt->first);
      text.remove_prefix(spelt == spellings.end() ? 1 : spelt->second.size());
    }
    return ids;
  }
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool keep_special = false) const override {
    std::string bytes;
    for (const TokenId id : ids) {
      if (keep_special || (id >= first && !spellings.contains(id))) bytes += piece_bytes(id);
    }
    return lossy_utf8(bytes);
  }
  [[nodiscard]] std::string piece_bytes(TokenId id) const override {
    const auto spelt = spellings.find(id);
    if (spelt != spellings.end()) return spelt->second;
    return id < first ? std::string() : std::string(1, static_cast<char>(id - first));
  }
  [[nodiscard]] std::optional<TokenId> find(std::string_view piece) const override {
    for (const auto& [id, spelling] : spellings) {
      if (spelling == piece) return id;
    }
    return piece.size() == 1 ? std::optional(id_of(piece[0])) : std::nullopt;
  }
  [[nodiscard]] std::size_t vocabulary_size() const override {
    const TokenId last = spellings.empty() ? 0 : spellings.rbegin()->first;
    return static_cast<std::size_t>(std::max(first + 255, last) + 1);
  }
  [[nodiscard]] SpecialTokens special() const override { return specials; }
  [[nodiscard]] std::vector<std::string> files() const override { return {}; }

 private:
  [[nodiscard]] TokenId id_of(char c) const { return first + static_cast<unsigned char>(c); }
};

class PluginUnderTest {
 public:
  PluginUnderTest() {
    char error[512] = {};
    if (plumb_plugin_entry_v1()->open(&registrar, error, sizeof error) != 0) throw Error(ErrorCode::plugin, error);
  }
  template <class T>
  std::unique_ptr<T> make(const std::string& name, const Value& params = Value::map(), void* extra = nullptr) {
    for (const auto& entry : registrar.entries()) {
      if (entry->info.name == name && entry->info.kind == T::kind) {
        return std::unique_ptr<T>(static_cast<T*>(entry->make(params, host, extra).release()));
      }
    }
    throw Error(ErrorCode::plugin, "the plugin under test has no " + std::string(T::kind) + " named " + name);
  }
  Registrar registrar;
  FakeHost host;
};

// A group of responses "a", "b", … with the given rewards.
inline ResponseGroup scored_group(const std::string& prompt_id, std::initializer_list<double> rewards) {
  ResponseGroup group;
  group.prompt = {prompt_id, {{"user", "question " + prompt_id}}, {}};
  for (double reward : rewards) {
    Response response;
    response.text = std::string(1, static_cast<char>('a' + group.responses.size()));
    response.reward = reward;
    group.responses.push_back(std::move(response));
  }
  return group;
}

}  // namespace plumb::testing
