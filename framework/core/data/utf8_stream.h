// Text of tokens as they come: only complete characters are handed out.
//
//   Utf8Stream stream;
//   std::cout << stream.push(tokenizer.piece_bytes(id));   // possibly nothing yet
//   std::cout << stream.finish();                          // what was cut off, as U+FFFD
//
// All that is handed out together equals lossy_utf8 of all bytes pushed: HF's decoding of the whole (plumb/utf8.h).
// Thread contract: [lane].
#pragma once

#include <string>
#include <string_view>

#include "plumb/utf8.h"

namespace plumb {

class Utf8Stream {
 public:
  std::string push(std::string_view bytes) {
    pending_ += bytes;
    std::string out;
    std::string_view rest = pending_;
    while (!rest.empty()) {
      const Character c = first_character(rest);
      if (c.cut_off) break;
      if (c.valid) {
        out += rest.substr(0, c.size);
      } else {
        append_utf8(out, kReplacement);
      }
      rest.remove_prefix(c.size);
    }
    pending_.erase(0, pending_.size() - rest.size());
    return out;
  }

  std::string finish() {
    std::string out = lossy_utf8(pending_);
    pending_.clear();
    return out;
  }

 private:
  std::string pending_;  // at most three bytes between calls
};

}  // namespace plumb
