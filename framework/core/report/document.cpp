#include "framework/core/report/document.h"

#include <fmt/format.h>

namespace plumb {
namespace {

std::string spans(const Paragraph& paragraph) {
  std::string out;
  for (const Span& span : paragraph.spans) {
    if (const auto* text = std::get_if<std::string>(&span)) {
      out += escape_markdown(*text);
    } else {
      out += code_markdown(std::get<Code>(span).text);
    }
  }
  return out;
}

struct Writer {
  std::string& out;

  void operator()(const Heading& heading) const {
    out += fmt::format("{} {}\n\n", std::string(static_cast<std::size_t>(heading.level), '#'),
                       escape_markdown(heading.text));
  }
  void operator()(const Paragraph& paragraph) const { out += spans(paragraph) + "\n\n"; }
  void operator()(const Bullets& bullets) const {
    for (const Paragraph& item : bullets.items) out += "- " + spans(item) + "\n";
    out += '\n';
  }
  void operator()(const Table& table) const { out += to_markdown(table) + "\n"; }
  void operator()(const Talk& conversation) const {
    for (const Message& message : conversation.messages) {
      out += fmt::format("> **{}:** {}\n>\n", escape_markdown(message.role), escape_markdown(message.content));
    }
    out += '\n';
  }
  void operator()(const Figure& figure) const {
    if (figure.table.rows.empty()) return;
    out +=
        escape_markdown(figure.chart.title + ". " + figure.chart.caption) + "\n\n" + to_markdown(figure.table) + "\n";
  }
  void operator()(const Folded& folded) const {
    out += escape_markdown(folded.summary) + "\n\n" + to_markdown(folded.table) + "\n";
  }
};

}  // namespace

std::string to_markdown(const Document& document) {
  std::string out = fmt::format("# {}\n\n", escape_markdown(document.title));
  for (const Block& block : document.blocks) std::visit(Writer{out}, block);
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

std::vector<std::pair<std::string, std::string>> figure_data(const Document& document) {
  std::vector<std::pair<std::string, std::string>> data;
  for (const Block& block : document.blocks) {
    if (const auto* figure = std::get_if<Figure>(&block))
      data.emplace_back(figure->file + ".csv", to_csv(figure->chart));
  }
  return data;
}

}  // namespace plumb
