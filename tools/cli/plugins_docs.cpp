// `plumb plugins docs`: the reference of stages and components, from their declarations; `plumb plugins schema`: the
// same for editors.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>

#include "framework/core/catalogue/stage.h"
#include "framework/core/components/choice.h"
#include "framework/core/recipe/recipe_schema.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/plugin_text.h"
#include "tools/cli/plugins.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

using Row = std::vector<std::string>;

// Where the reference is written to; one implementation for each form.
class Pages {
 public:
  virtual ~Pages() = default;
  virtual void heading(int level, const std::string& text) = 0;
  virtual void paragraph(const std::string& text) = 0;
  virtual void table(const Row& head, const std::vector<Row>& rows) = 0;
};

class Markdown final : public Pages {
 public:
  void heading(int level, const std::string& text) override {
    std::cout << std::string(static_cast<std::size_t>(level), '#') << " " << text << "\n\n";
  }
  void paragraph(const std::string& text) override { std::cout << escaped(text) << "\n\n"; }
  void table(const Row& head, const std::vector<Row>& rows) override {
    line(head);
    line(Row(head.size(), "---"));
    for (const Row& row : rows) line(row);
    std::cout << "\n";
  }

 private:
  static std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '|' || c == '<' || c == '*' || c == '_' || c == '`') out += '\\';
      out += c;
    }
    return out;
  }
  static void line(const Row& row) {
    std::cout << "|";
    for (const std::string& cell : row) std::cout << " " << (cell == "---" ? cell : escaped(cell)) << " |";
    std::cout << "\n";
  }
};

class Html final : public Pages {
 public:
  Html() {
    std::cout << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Plumbline reference</title>\n"
                 "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
                 "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
                 "border-bottom:1px solid #ccc;padding:.2em .6em .2em 0}h2{margin-top:2em}"
                 "td:first-child{white-space:nowrap;font-family:monospace}</style></head><body>\n";
  }
  ~Html() override { std::cout << "</body></html>\n"; }
  void heading(int level, const std::string& text) override {
    const std::string tag = "h" + std::to_string(level);
    std::cout << "<" << tag << " id=\"" << anchor(text) << "\">" << escaped(text) << "</" << tag << ">\n";
  }
  void paragraph(const std::string& text) override { std::cout << "<p>" << escaped(text) << "</p>\n"; }
  void table(const Row& head, const std::vector<Row>& rows) override {
    std::cout << "<table><tr>";
    for (const std::string& cell : head) std::cout << "<th>" << escaped(cell) << "</th>";
    for (const Row& row : rows) {
      std::cout << "</tr>\n<tr>";
      for (const std::string& cell : row) std::cout << "<td>" << escaped(cell) << "</td>";
    }
    std::cout << "</tr></table>\n";
  }

 private:
  static std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
      out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
    }
    return out;
  }
  static std::string anchor(const std::string& text) {
    std::string out;
    for (const char c : text) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
    return out;
  }
};

void add_rows(const std::vector<ParamInfo>& infos, const std::string& prefix, std::vector<Row>& rows) {
  for (const ParamInfo& info : infos) {
    const std::string unit = info.unit.empty() ? "" : " [" + shown(info.unit) + "]";
    rows.push_back({shown(prefix + info.name), shown(param_type_name(info.type) + limits_text(info)) + unit,
                    shown(default_text(info)), shown(info.doc)});
    add_rows(info.fields, prefix + info.name + ".", rows);
  }
}

void add_params(Pages& pages, const std::vector<ParamInfo>& infos) {
  std::vector<Row> rows;
  add_rows(infos, "", rows);
  if (rows.empty()) {
    pages.paragraph("No parameters.");
  } else {
    pages.table({"parameter", "takes", "default", "what it is"}, rows);
  }
}

std::string sentence(const char* what, const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? what : ", ") + shown(item);
  return out.empty() ? "" : out + ". ";
}

std::string sentence_of(std::string doc, const std::string& source) {
  if (!doc.empty()) doc[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(doc[0])));
  return shown(doc) + (source.empty() ? "" : " (" + shown(source) + ")") + ".";
}

void add_stages(Pages& pages) {
  pages.heading(2, "stages");
  for (const StageKind& kind : stage_catalogue()) {
    pages.heading(3, kind.kind);
    const bool chosen = kind.output == "*";
    pages.paragraph(sentence_of(kind.doc, kind.source) + " Yields " +
                    (chosen ? "what its " + kind.output_from + " yields" : kind.output) + ".");
    add_params(pages, kind.params);
  }
}

void add_components(Pages& pages, const Registry& registry) {
  std::map<std::string, std::vector<KnownComponent>> by_kind;
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (!candidate.used()) continue;
    for (const ComponentInfo& info : candidate.components) by_kind[plain_kind(info)].push_back({info, &candidate});
  }
  for (auto& [kind, components] : by_kind) {
    std::sort(components.begin(), components.end(),
              [](const KnownComponent& a, const KnownComponent& b) { return a.info.name < b.info.name; });
    pages.heading(2, kind);
    ComponentInfo any;
    any.kind = components.front().info.kind;
    if (may_be_isolated(any)) {
      pages.paragraph("Where one runs is said beside its own parameters:");
      add_params(pages, isolation_params(any));
    }
    for (const KnownComponent& component : components) {
      const ComponentInfo& info = component.info;
      pages.heading(3, shown(info.name));
      pages.paragraph(sentence_of(info.doc, info.source));
      pages.paragraph("Plugin " + component.plugin->id + " " + component.plugin->version + ", " +
                      shown(component.plugin->licence) + ". " + sentence("Takes ", info.takes) +
                      sentence("Yields ", info.yields) + sentence("Needs ", info.needs) +
                      sentence("Claims ", info.claims));
      add_params(pages, info.params);
    }
  }
}

}  // namespace

int run_plugins_docs(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("markdown", "as Markdown, unless another form is asked for")("html", "as one HTML page");
  add_plugin_option(options);
  const auto given = parse_verb(argc, argv,
                                {"[--markdown | --html] [--plugin FILE]...",
                                 "Writes the reference of all stages and components: parameters with types, ranges,\n"
                                 "units and defaults, from the declarations that recipes are checked against."},
                                options);
  if (!given) return 0;
  if (given->count("html") != 0 && given->count("markdown") != 0) {
    throw Error(ErrorCode::recipe, "--markdown and --html are both given; the reference has one form");
  }
  const Registry registry = scan_plugins(*given);
  std::unique_ptr<Pages> pages;
  if (given->count("html") != 0) {
    pages = std::make_unique<Html>();
  } else {
    pages = std::make_unique<Markdown>();
  }
  pages->heading(1, "Reference");
  add_stages(*pages);
  add_components(*pages, registry);
  return 0;
}

int run_plugins_schema(int argc, char** argv) {
  po::options_description options("Options");
  add_plugin_option(options);
  const auto given =
      parse_verb(argc, argv,
                 {"[--plugin FILE]...",
                  "Writes a JSON Schema of recipes. An editor with YAML support completes and checks with it:\n"
                  "  plumb plugins schema >recipe.schema.json\n"
                  "and, as the first line of a recipe,\n"
                  "  # yaml-language-server: $schema=recipe.schema.json"},
                 options);
  if (!given) return 0;
  unfiltered_output() << to_json(recipe_schema(scan_plugins(*given)), false, 1) << "\n";
  return 0;
}

}  // namespace plumb::cli
