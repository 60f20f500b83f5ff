#include "tokenizer_json.h"

namespace plumb::tokenizers {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{256} << 20;

std::vector<AddedToken> parse_added(const JsonFields& json, const Value& root) {
  std::vector<AddedToken> out;
  const Value* list = json.find(root, "added_tokens");
  if (list == nullptr) return out;
  for (const Value& entry : json.as_list(*list, "added_tokens")) {
    const std::int64_t id = json.integer(entry, "id");
    if (id < 0 || id >= (1 << 24)) json.fail(entry, "token id " + std::to_string(id) + " is not in [0, 16777216)");
    out.push_back(parse_added_token(json, entry, static_cast<TokenId>(id)));
  }
  return out;
}

}  // namespace

TokenizerJson read_tokenizer_json(const std::string& path, std::optional<bool> prefix_space) {
  const Value root = read_json_file(path, kFileLimit);
  const JsonFields json(path);
  TokenizerJson out;
  out.model = parse_model(json, json.need(root, "model"));
  out.normalizers = parse_normalizers(json, json.find(root, "normalizer"));
  out.pre_tokenizer = parse_pre_tokenizer(json, json.find(root, "pre_tokenizer"), prefix_space);
  out.decoder = Decoder::parse(json, json.find(root, "decoder"));
  out.added = parse_added(json, root);
  return out;
}

}  // namespace plumb::tokenizers
