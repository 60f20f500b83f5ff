#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex.h"

#include <pcre2.h>

#include <ctime>

#include "onig_pattern.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

constexpr std::uint32_t kMatchLimit = 2'000'000;  // of one place in the text
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;
constexpr std::size_t kPatternLimit = 64 * 1024;
constexpr int kStartsPerLook = 64;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// PCRE2 bounds the work of one place in the text; this one that of all places together.
struct Budget {
  double seconds;
  double end = 0;  // of this thread's time; set at the first look, which most texts never come to
  int starts = 0;
  bool spent() {
    if (++starts % kStartsPerLook != 0) return false;
    const double now = cpu_seconds();
    if (end == 0) end = now + seconds;
    return now > end;
  }
};

// The callout before the pattern: called at every place where a match is tried.
int at_start(pcre2_callout_block*, void* budget) {
  return static_cast<Budget*>(budget)->spent() ? PCRE2_ERROR_MATCHLIMIT : 0;
}

std::string reason(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

std::string translated(const std::string& pattern, const JsonFields& json, const Value& at) {
  if (pattern.size() > kPatternLimit) json.fail(at, "the pattern has more than 65536 bytes");
  try {
    return "(?C)(?:" + pcre2_pattern(pattern) + ")";
  } catch (const PatternError& error) {
    json.fail(at, "the pattern is malformed or not supported before its byte " + std::to_string(error.at + 1) + ": " +
                      error.what());
  }
}

}  // namespace

struct Regex::Code {
  std::string pattern;
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(const std::string& pattern, const JsonFields& json, const Value& at) {
  auto made = std::make_shared<Code>();
  made->pattern = pattern;
  const std::string written = translated(pattern, json, at);
  const std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> how(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(how.get(), PCRE2_NEWLINE_LF);
  pcre2_set_bsr(how.get(), PCRE2_BSR_UNICODE);
  int error = 0;
  PCRE2_SIZE offset = 0;
  made->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(written.data()), written.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, how.get());
  if (made->code == nullptr) json.fail(at, "the pattern is malformed: " + reason(error));
  code_ = std::move(made);
}

void Regex::for_each_match(std::string_view text,
                           const std::function<void(std::size_t begin, std::size_t end)>& take) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> found(
      pcre2_match_data_create_from_pattern(code_->code, nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> limits(pcre2_match_context_create(nullptr),
                                                                                    pcre2_match_context_free);
  Budget budget{1 + 1e-6 * static_cast<double>(text.size())};
  pcre2_set_match_limit(limits.get(), kMatchLimit);
  pcre2_set_heap_limit(limits.get(), kHeapLimitKib);
  pcre2_set_callout(limits.get(), &at_start, &budget);
  std::size_t at = 0, last = std::string_view::npos;  // where the match before ended
  while (at <= text.size()) {
    const int count = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK, found.get(), limits.get());
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0) {
      throw Error(ErrorCode::data, "the tokenizer's pattern " + code_->pattern + " fails on a text of " +
                                       std::to_string(text.size()) + " bytes: " + reason(count));
    }
    const PCRE2_SIZE* place = pcre2_get_ovector_pointer(found.get());
    if (place[0] == place[1] && place[1] == last) {
      if (at >= text.size()) return;
      at += first_character(text.substr(at)).size;
      continue;
    }
    take(place[0], place[1]);
    at = last = place[1];
  }
}

}  // namespace plumb::tokenizers
