#include "framework/core/telemetry/output.h"

#include <iostream>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>

#include "framework/core/telemetry/text.h"
#include "plumb/utf8.h"

namespace plumb {
namespace {

// How many bytes at the end may be the beginning of a character whose rest is still to come.
std::size_t unfinished(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::string_view end = text.substr(text.size() - back);
    if (!continues_character(end[0])) return first_character(end).cut_off ? back : 0;
  }
  return 0;
}

class PrintableBuffer final : public std::streambuf {
 public:
  explicit PrintableBuffer(std::streambuf& to) : to_(to) {}

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char byte = traits_type::to_char_type(c);
    return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
  }

  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    const std::scoped_lock lock(mutex_);
    pending_.append(bytes, static_cast<std::size_t>(count));
    const std::size_t whole = pending_.size() - unfinished(pending_);
    const std::string shown = printable(std::string_view(pending_).substr(0, whole));
    pending_.erase(0, whole);
    const auto size = static_cast<std::streamsize>(shown.size());
    return to_.sputn(shown.data(), size) == size ? count : 0;
  }

  int sync() override { return to_.pubsync(); }

 private:
  std::streambuf& to_;
  std::mutex mutex_;
  std::string pending_;
};

// Never destroyed: a library may print while the process ends.
struct Streams {
  std::streambuf *output = std::cout.rdbuf(), *errors = std::cerr.rdbuf();
  PrintableBuffer shown_output{*output}, shown_errors{*errors};
  std::ostream raw_output{output}, raw_errors{errors};
};
Streams* streams = nullptr;

}  // namespace

FilteredOutput::FilteredOutput() {
  static auto* const once = new Streams;
  streams = once;
  std::cout.rdbuf(&streams->shown_output);
  std::cerr.rdbuf(&streams->shown_errors);
}

FilteredOutput::~FilteredOutput() {
  std::cout.flush();
  std::cout.rdbuf(streams->output);
  std::cerr.rdbuf(streams->errors);
  streams = nullptr;
}

std::ostream& unfiltered_output() {
  return streams == nullptr ? std::cout : streams->raw_output;
}

std::ostream& unfiltered_errors() {
  return streams == nullptr ? std::cerr : streams->raw_errors;
}

}  // namespace plumb
