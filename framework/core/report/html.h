// A report as one HTML file: no network, no scripts, readable in the light, in the dark and on paper. Every figure
// carries its data as a CSV to be saved.
//
//   write_file("report.html", to_html(document));
//
// The page forbids itself scripts and every request (Content-Security-Policy), and escapes all text: answers of models
// are shown, never interpreted. Thread contract: functions are [any].
#pragma once

#include <string>
#include <string_view>

#include "framework/core/report/document.h"

namespace plumb {

std::string to_html(const Document& document);

// Whether a file begins as the pages of to_html do.
bool is_page(std::string_view text);

// The text as it is, for HTML text and double-quoted attributes; control characters and those that change the direction
// of writing become U+FFFD, invalid UTF-8 too; line breaks stay.
std::string escape_html(std::string_view text);

}  // namespace plumb
