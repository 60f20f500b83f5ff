#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex.h"

#include <pcre2.h>

#include "plumb/error.h"

namespace plumb::tokenizers {
namespace {

constexpr std::uint32_t kMatchLimit = 10'000'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;

std::string reason(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Regex::Code {
  std::string pattern;
  pcre2_code* code = nullptr;
  pcre2_match_context* limits = nullptr;
  ~Code() {
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
  }
};

Regex::Regex(const std::string& pattern, const JsonFields& json, const Value& at) {
  auto made = std::make_shared<Code>();
  made->pattern = pattern;
  int error = 0;
  PCRE2_SIZE offset = 0;
  made->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                             &error, &offset, nullptr);
  if (made->code == nullptr) {
    json.fail(at, "the pattern is malformed at its character " + std::to_string(offset) + ": " + reason(error));
  }
  made->limits = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(made->limits, kMatchLimit);
  pcre2_set_heap_limit(made->limits, kHeapLimitKib);
  code_ = std::move(made);
}

void Regex::for_each_match(std::string_view text,
                           const std::function<void(std::size_t begin, std::size_t end)>& take) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> found(
      pcre2_match_data_create_from_pattern(code_->code, nullptr), pcre2_match_data_free);
  std::size_t at = 0;
  while (at < text.size()) {
    const int count = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, found.get(), code_->limits);
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0) {
      throw Error(ErrorCode::data, "the tokenizer's pattern " + code_->pattern + " fails on a text of " +
                                       std::to_string(text.size()) + " bytes: " + reason(count));
    }
    const PCRE2_SIZE* place = pcre2_get_ovector_pointer(found.get());
    take(place[0], place[1]);
    at = place[1];
  }
}

}  // namespace plumb::tokenizers
