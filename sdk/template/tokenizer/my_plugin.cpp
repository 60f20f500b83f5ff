// my-plugin: one token for each byte, and two special tokens whose spellings stand in my-plugin.json.
#include <plumb/json_fields.h>
#include <plumb/plugin.h>
#include <plumb/tokenizer.h>
#include <plumb/utf8.h>

#include <filesystem>

namespace {

constexpr const char* kFile = "my-plugin.json";
constexpr plumb::TokenId kBos = 0, kEos = 1, kFirstByte = 2;

class MyPlugin final : public plumb::Tokenizer {
 public:
  struct Settings {
    std::string path;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"one token for each byte"};
    p.add(&Settings::path, "path", "a folder with my-plugin.json, or that file").path().required();
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host&) {
    const std::filesystem::path path = settings.path;
    const std::string file = (std::filesystem::is_directory(path) ? path / kFile : path).string();
    const plumb::Value root = plumb::read_json_file(file);
    const plumb::JsonFields json(file);
    bos_ = json.text(root, "bos");
    eos_ = json.text(root, "eos");
    if (bos_.empty() || eos_.empty() || bos_ == eos_) json.fail(root, "wants two different spellings, bos and eos");
  }

  [[nodiscard]] std::vector<plumb::TokenId> encode(std::string_view text, bool) const override {
    std::vector<plumb::TokenId> ids;
    for (const char c : text) ids.push_back(kFirstByte + static_cast<unsigned char>(c));
    return ids;
  }

  [[nodiscard]] std::vector<plumb::TokenId> encode_with_special(std::string_view text) const override {
    std::vector<plumb::TokenId> ids;
    while (!text.empty()) {
      const bool bos = text.starts_with(bos_), eos = text.starts_with(eos_);
      ids.push_back(bos ? kBos : eos ? kEos : kFirstByte + static_cast<unsigned char>(text[0]));
      text.remove_prefix(bos ? bos_.size() : eos ? eos_.size() : 1);
    }
    return ids;
  }

  [[nodiscard]] std::string decode(std::span<const plumb::TokenId> ids, bool keep_special) const override {
    std::string bytes;
    for (const plumb::TokenId id : ids) {
      if (id >= kFirstByte || keep_special) bytes += piece_bytes(id);
    }
    return plumb::lossy_utf8(bytes);
  }

  [[nodiscard]] std::string piece_bytes(plumb::TokenId id) const override {
    return id == kBos ? bos_ : id == kEos ? eos_ : std::string(1, static_cast<char>(id - kFirstByte));
  }
  [[nodiscard]] std::optional<plumb::TokenId> find(std::string_view piece) const override {
    if (piece == bos_) return kBos;
    if (piece == eos_) return kEos;
    return piece.size() == 1 ? std::optional(encode(piece, false)[0]) : std::nullopt;
  }
  [[nodiscard]] std::size_t vocabulary_size() const override { return kFirstByte + 256; }
  [[nodiscard]] plumb::SpecialTokens special() const override { return {kBos, kEos, {}, {}}; }
  [[nodiscard]] std::vector<std::string> files() const override { return {kFile}; }

 private:
  std::string bos_, eos_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "a tokenizer of bytes" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").claims({kFile});
}
