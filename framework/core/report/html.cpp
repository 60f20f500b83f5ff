#include "framework/core/report/html.h"

#include <fmt/format.h>

#include "framework/core/report/html_style.h"

namespace plumb {
namespace {

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t block = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      block = block << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kDigits[block >> (18 - 6 * j) & 63U];
    }
  }
  return out;
}

std::string spans(const Paragraph& paragraph) {
  std::string out;
  for (const Span& span : paragraph.spans) {
    if (const auto* text = std::get_if<std::string>(&span)) {
      out += escape_html(*text);
    } else {
      out += fmt::format("<code>{}</code>", escape_html(std::get<Code>(span).text));
    }
  }
  return out;
}

// Numbers stand at the right, so that their digits line up.
bool is_number(const std::string& cell) {
  return !cell.empty() && std::string_view("+-0123456789").find(cell[0]) != std::string_view::npos &&
         cell.find_first_not_of("+-0123456789.,e±% ") == std::string::npos;
}

std::string table_html(const Table& table) {
  std::string out = "<div class=\"wide\"><table><thead><tr>";
  for (const std::string& cell : table.header) out += fmt::format("<th scope=\"col\">{}</th>", escape_html(cell));
  out += "</tr></thead><tbody>";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (const std::string& cell : row) {
      // ± is two bytes; the set above holds both.
      out += fmt::format("<td{}>{}</td>", is_number(cell) ? " class=\"n\"" : "", escape_html(cell));
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

struct Writer {
  std::string& out;
  int sections = 0;

  void operator()(const Heading& heading) {
    if (heading.level == 2) {
      out += fmt::format("<h2 id=\"s{}\">{}</h2>\n", sections++, escape_html(heading.text));
    } else {
      out += fmt::format("<h{0}>{1}</h{0}>\n", heading.level, escape_html(heading.text));
    }
  }
  void operator()(const Paragraph& paragraph) const { out += "<p>" + spans(paragraph) + "</p>\n"; }
  void operator()(const Bullets& bullets) const {
    out += "<ul>";
    for (const Paragraph& item : bullets.items) out += "<li>" + spans(item) + "</li>";
    out += "</ul>\n";
  }
  void operator()(const Table& table) const { out += table_html(table); }
  void operator()(const Talk& conversation) const {
    out += "<div class=\"talk\">";
    for (const Message& message : conversation.messages) {
      out += fmt::format("<p><b>{}</b> {}</p>", escape_html(message.role), escape_html(message.content));
    }
    out += "</div>\n";
  }
  void operator()(const Figure& figure) const {
    const Chart& chart = figure.chart;
    out += fmt::format("<figure>{}<figcaption>", to_svg(chart));
    if (chart.lines.size() > 1) {
      out += "<ul class=\"legend\">";
      for (std::size_t i = 0; i < chart.lines.size(); ++i) {
        out +=
            fmt::format("<li class=\"s{}{}\">{}</li>", i % 7, i >= 7 ? " ring" : "", escape_html(chart.lines[i].name));
      }
      out += "</ul>";
    }
    out += fmt::format(
        "<b>{}.</b> {} <a download=\"{}.csv\" href=\"data:text/csv;charset=utf-8;base64,{}\">data (CSV)</a>"
        "</figcaption></figure>\n",
        escape_html(chart.title), escape_html(chart.caption), escape_html(figure.file), base64(to_csv(chart)));
  }
  void operator()(const Folded& folded) const {
    out += fmt::format("<details><summary>{}</summary>{}</details>\n", escape_html(folded.summary),
                       table_html(folded.table));
  }
};

constexpr const char* kBeginning =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:\">";

std::string contents(const Document& document) {
  std::string out = "<nav><ul>";
  int section = 0;
  for (const Block& block : document.blocks) {
    const auto* heading = std::get_if<Heading>(&block);
    if (heading == nullptr || heading->level != 2) continue;
    out += fmt::format("<li><a href=\"#s{}\">{}</a></li>", section++, escape_html(heading->text));
  }
  return out + "</ul></nav>\n";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string to_html(const Document& document) {
  std::string out = kBeginning;
  out += fmt::format(
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<link rel=\"icon\" href=\"data:,\">"
      "<title>{0}</title><style>{1}</style></head>\n<body><main><h1>{0}</h1>\n",
      escape_html(document.title), kReportStyle);
  out += contents(document);
  Writer writer{out};
  for (const Block& block : document.blocks) std::visit(writer, block);
  return out + "</main></body></html>\n";
}

bool is_page(std::string_view text) {
  return text.starts_with(kBeginning);
}

}  // namespace plumb
