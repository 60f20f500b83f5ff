// A class [...] of Oniguruma's syntax, which nests and intersects, as one class that PCRE2 reads.
// Thread contract: pure but for the cursor.
#pragma once

#include <string>

#include "pattern_cursor.h"

namespace plumb::tokenizers {

// After the opening bracket, up to and with the closing one. `caseless`: (?i) holds here, and reaches into named sets.
std::string read_class(Cursor& in, bool caseless);

}  // namespace plumb::tokenizers
