#include "dialect.h"

#include <plumb/error.h>
#include <limits>

namespace remote {

using plumb::Value;

std::vector<std::string> dialect_names() {
  return {"vllm", "sglang", "llama.cpp"};
}

const Dialect& dialect_of(const std::string& name) {
  if (name == "vllm") return vllm;
  return name == "sglang" ? sglang : llama_cpp;
}

Value parse_answer(const std::string& body) {
  try {
    Value root = plumb::parse_json(body, "the answer");
    if (root.is_map()) return root;
  } catch (const plumb::Error& error) {
    throw NoAnswer(error.what());
  }
  throw NoAnswer("the answer is no map");
}

const Value* field(const Value& map, const char* key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  return found != nullptr && !found->is_null() ? found : nullptr;
}

std::optional<std::int64_t> integer_of(const Value* value) {
  return value != nullptr && value->type() == Value::Type::integer ? std::optional(value->as_int()) : std::nullopt;
}

std::optional<std::vector<plumb::TokenId>> ids_of(const Value* list) {
  if (list == nullptr || !list->is_list()) return std::nullopt;
  std::vector<plumb::TokenId> ids;
  for (const Value& item : list->as_list()) {
    const auto id = integer_of(&item);
    if (!id || *id < 0 || *id > std::numeric_limits<plumb::TokenId>::max()) return std::nullopt;
    ids.push_back(static_cast<plumb::TokenId>(*id));
  }
  return ids;
}

Value list_of(const std::vector<plumb::TokenId>& ids) {
  Value::List list;
  for (const plumb::TokenId id : ids) list.emplace_back(std::int64_t{id});
  return list;
}

bool stopped_by_token(const Value* reason, const std::string& key, const char* token, const char* length) {
  const std::string said = reason != nullptr && reason->is_string() ? reason->as_string() : "absent";
  if (said != token && said != length) throw NoAnswer("the answer was dropped: " + key + " " + said);
  return said == token;
}

void refuse_without_ids(const std::string& wanted) {
  throw plumb::Error(
      plumb::ErrorCode::run_failed,
      "the server answers without token ids; text that is tokenised again is not what was sampled. " + wanted);
}

}  // namespace remote
