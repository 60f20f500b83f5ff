// How one kind of server is asked for the tokens of an answer, and what it says: token ids both ways, never text.
//
//   const Dialect& dialect = dialect_of("vllm");
//   const std::string body = dialect.body(question);              // every parameter of sampling, none left to the server
//   const Reply reply = dialect.read(answer_body, question);
//   Response response = answer_of(reply, question);               // answer.h
//
// Thread contract: dialects are constants; every method is [any].
#pragma once

#include <plumb/records.h>
#include <plumb/value.h>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace remote {

// One answer that is wanted.
struct Question {
  std::string model;  // as the server calls it; may be empty
  std::vector<plumb::TokenId> prompt;
  std::vector<plumb::TokenId> ends;  // any of them ends the answer
  std::int64_t vocabulary = 0;       // ids are below it
  std::int64_t max_new_tokens = 0;
  double temperature = 1;  // 0: greedy
  std::int64_t top_k = 0;  // 0: off
  double top_p = 1;
  std::uint64_t seed = 0;
};

// What came back.
struct Reply {
  std::vector<plumb::TokenId> ids;
  bool stopped = false;                               // ended by a token, else cut by its length
  std::optional<plumb::TokenId> stopped_by;           // the token, where the server says it
  bool holds_end = false;                             // the ids always hold the token that ended them
  std::optional<std::int64_t> prompt_tokens;          // that the server read
  std::optional<std::vector<plumb::TokenId>> prompt;  // likewise, the ids themselves
};

// The body is no answer of this kind of server: a proxy's page, or a request that the server dropped. To be asked again.
struct NoAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  [[nodiscard]] virtual std::string target() const = 0;  // of the POST that asks for an answer
  [[nodiscard]] virtual std::string body(const Question& question) const = 0;
  // Throws NoAnswer; Error(run_failed) for a server that will never say what is needed.
  [[nodiscard]] virtual Reply read(const std::string& body, const Question& question) const = 0;

  [[nodiscard]] virtual std::string version_target() const = 0;  // of the GET that tells the version
  [[nodiscard]] virtual std::string version_key() const = 0;     // in the map that it answers
  // Whether top_k and top_p are one filter after the other, as Hugging Face orders them.
  [[nodiscard]] virtual bool filters_in_order() const { return true; }
};

std::vector<std::string> dialect_names();
const Dialect& dialect_of(const std::string& name);  // one of dialect_names()

extern const Dialect& vllm;
extern const Dialect& llama_cpp;
extern const Dialect& sglang;

// For the dialects: the fields of an answer.
plumb::Value parse_answer(const std::string& body);                           // NoAnswer when it is no map
const plumb::Value* field(const plumb::Value& map, const char* key);          // null when absent or null
std::optional<std::vector<plumb::TokenId>> ids_of(const plumb::Value* list);  // nothing when it is no list of ids
plumb::Value list_of(const std::vector<plumb::TokenId>& ids);
std::optional<std::int64_t> integer_of(const plumb::Value* value);
// Whether a token ended the answer, else its length did; NoAnswer when `reason`, which `key` names, says neither.
bool stopped_by_token(const plumb::Value* reason, const std::string& key, const char* token, const char* length);
// Error(run_failed): the ids are missing, and what the server would have to be.
[[noreturn]] void refuse_without_ids(const std::string& wanted);

}  // namespace remote
