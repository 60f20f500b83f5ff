// A report before it has a form: headings, texts, tables, figures and conversations, which become one Markdown page or
// one HTML page.
//
//   Document page{.title = "RS-DPO in miniature"};
//   page.add(Heading{2, "Scores"});
//   page.add(Paragraph{{"Talk to it: ", Code{"plumb chat runs/quickstart/aligned"}}});
//   page.add(Table{{"model", "gold"}, {{"sft", "0.715 ± 0.010"}}});
//   write_file("report.md", to_markdown(page));
//   write_file("report.html", to_html(page));          // html.h
//
// Every text is plain: whatever a model or a dataset put into it, nothing of it becomes markup.
// Thread contract: value types; functions are [any].
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "framework/core/report/chart.h"
#include "framework/core/telemetry/text.h"
#include "plumb/records.h"

namespace plumb {

struct Code {
  std::string text;  // a path or a command
};
using Span = std::variant<std::string, Code>;

struct Heading {
  int level = 2;  // 2 to 4; the title is level 1
  std::string text;
};
struct Paragraph {
  std::vector<Span> spans;
};
struct Bullets {
  std::vector<Paragraph> items;
};
struct Talk {
  std::vector<Message> messages;
};
struct Figure {
  std::string file;  // of its data, without folder or ending: "pairs-gaps"
  Chart chart;
  Table table;  // the few points that stand for the figure where there are no pictures
};
// Shown only after a click in HTML.
struct Folded {
  std::string summary;
  Table table;
};

using Block = std::variant<Heading, Paragraph, Bullets, Table, Talk, Figure, Folded>;

struct Document {
  std::string title;
  std::vector<Block> blocks;
  void add(Block block) { blocks.push_back(std::move(block)); }
};

std::string to_markdown(const Document& document);

// {file name, CSV} of every figure.
std::vector<std::pair<std::string, std::string>> figure_data(const Document& document);

}  // namespace plumb
