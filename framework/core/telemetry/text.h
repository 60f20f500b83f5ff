// Text and tables for two readers: Markdown files and terminals. Texts of models and datasets are not trusted: they may
// hold markup, terminal escapes or characters that reverse the direction of writing.
//
//   Table table{{"model", "gold score"}, {{"sft", "0.715 ± 0.010"}}};
//   std::string md = to_markdown(table);          // cells are plain text
//   std::string txt = to_text(table);             // columns aligned by characters
//
// Thread contract: functions are [any].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plumb/records.h"

namespace plumb {

// The text as it is, for a place inside a Markdown paragraph, list item or table cell: nothing in it is markup, line
// breaks become <br>, control characters and invalid UTF-8 become U+FFFD.
std::string escape_markdown(std::string_view text);

// A span of code, which shows the text as it is; for paths and commands.
std::string code_markdown(std::string_view text);

// The text for a terminal: control characters, also those of Unicode, become U+FFFD; line breaks stay.
std::string printable(std::string_view text);

// Up to its first line break: some libraries append a stack of addresses to what they say.
std::string first_line(const std::string& text);

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};
std::string to_markdown(const Table& table);
std::string to_text(const Table& table, std::string_view indent = "  ");

// A field of CSV (RFC 4180): in quotes when it must be. A text that a spreadsheet would run as a formula is led by '.
std::string csv_field(const std::string& text);

// "0.715 ± 0.010": as many digits as the interval supports. `sign`: with its sign, for differences.
std::string show_metric(const Metric& metric, bool sign = false);
// "12,345"
std::string show_count(std::int64_t count);
// A short form of a value of a manifest's summary: numbers with at most four significant decimals.
std::string show_value(const Value& value);

}  // namespace plumb
