// `plumb plugins`: its words, of which `list` and `show` stand here.
#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iomanip>
#include <iostream>

#include "framework/core/registry/registry.h"
#include "framework/core/telemetry/output.h"
#include "plumb/error.h"
#include "tools/cli/plugin_text.h"
#include "tools/cli/plugins.h"
#include "tools/cli/verb.h"

namespace po = boost::program_options;

namespace plumb::cli {
namespace {

Value to_value(const PluginCandidate& candidate) {
  Value out = Value::map({{"file", candidate.file.string()}});
  if (!candidate.id.empty()) {
    out.set("id", candidate.id);
    out.set("version", candidate.version);
    out.set("licence", candidate.licence);
    out.set("summary", candidate.summary);
    if (!candidate.status.empty()) out.set("status", candidate.status);
    out.set("fingerprint", candidate.fingerprint);
    out.set("sha256", candidate.sha256());
  }
  out.set("used", candidate.used());
  if (!candidate.refused.empty()) out.set("refused", candidate.refused);
  if (!candidate.same_as.empty()) out.set("same_as", candidate.same_as);
  Value::List components;
  for (const ComponentInfo& info : candidate.components) components.push_back(describe(info));
  out.set("components", components);
  return out;
}

// Without `..` and `.`, where that names the same file.
std::string tidy(const std::filesystem::path& file) {
  const std::filesystem::path plain = file.lexically_normal();
  std::error_code ignored;
  return shown((std::filesystem::equivalent(plain, file, ignored) ? plain : file).string());
}

std::size_t width_of_names(const Registry& registry) {
  std::size_t width = 20;
  for (const PluginCandidate& candidate : registry.candidates()) {
    for (const ComponentInfo& info : candidate.components) width = std::max(width, info.name.size());
  }
  return width + 2;
}

void print(const PluginCandidate& candidate, std::size_t width) {
  if (candidate.id.empty()) {
    std::cout << tidy(candidate.file) << "\n";
  } else {
    std::cout << candidate.id << " " << candidate.version << "  "
              << (candidate.status.empty() ? "" : candidate.status + ": ") << shown(candidate.summary) << "\n  "
              << tidy(candidate.file) << "\n";
  }
  if (!candidate.refused.empty()) std::cout << "  REFUSED: " << shown(candidate.refused) << "\n";
  if (!candidate.same_as.empty()) std::cout << "  not needed: the same file as " << tidy(candidate.same_as) << "\n";
  if (!candidate.used()) return;
  for (const ComponentInfo& info : candidate.components) {
    std::cout << "  " << std::left << std::setw(18) << plain_kind(info) << std::setw(static_cast<int>(width))
              << info.name << shown(info.doc) << "\n";
  }
}

int list(int argc, char** argv) {
  po::options_description options("Options");
  add_plugin_option(options);
  options.add_options()("json", "print JSON");
  const auto given =
      parse_verb(argc, argv,
                 {"[--json]",
                  "Lists every plugin file that was found: what it provides, or why it is refused.\n"
                  "Searched are --plugin, the folders of PLUMB_PLUGIN_PATH, $XDG_DATA_HOME/plumb/plugins and\n"
                  "the folder of the built-in plugins. No code of a plugin runs."},
                 options);
  if (!given) return 0;
  const Registry registry = Registry::scan(plugin_search(*given));
  Value::List all;
  bool first = true;
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (given->count("json") != 0) {
      all.push_back(to_value(candidate));
      continue;
    }
    if (!first) std::cout << "\n";
    first = false;
    print(candidate, width_of_names(registry));
  }
  if (given->count("json") != 0) {
    unfiltered_output() << to_json(all, false, 2) << "\n";
  } else if (registry.candidates().empty()) {
    std::cout << "no plugins found\n";
  }
  return 0;
}

void print_params(const std::vector<ParamInfo>& params, const std::string& indent) {
  for (const ParamInfo& info : params) {
    std::cout << indent << shown(info.name) << " = " << shown(default_text(info)) << "    "
              << param_type_name(info.type) << shown(limits_text(info))
              << (info.unit.empty() ? "" : " [" + shown(info.unit) + "]") << "\n"
              << indent << "    " << shown(info.doc) << "\n";
    print_params(info.fields, indent + "    ");
  }
}

void print_list(const char* what, const std::vector<std::string>& items) {
  if (items.empty()) return;
  std::cout << "  " << what;
  for (const std::string& item : items) std::cout << (&item == &items.front() ? " " : ", ") << shown(item);
  std::cout << "\n";
}

void print(const KnownComponent& component) {
  const ComponentInfo& info = component.info;
  std::cout << plain_kind(info) << " " << info.name << ": " << shown(info.doc) << "\n";
  if (!info.source.empty()) std::cout << "  source " << shown(info.source) << "\n";
  std::cout << "  plugin " << component.plugin->id << " " << component.plugin->version << ", "
            << shown(component.plugin->licence) << " (" << shown(component.plugin->file.string()) << ")\n";
  if (!info.batch.of.empty()) std::cout << "  learns from " << shown(info.batch.of) << "\n";
  print_list("takes", info.takes);
  print_list("yields", info.yields);
  print_list("needs", info.needs);
  print_list("claims", info.claims);
  if (info.params.empty()) {
    std::cout << "  no parameters\n";
  } else {
    std::cout << "  parameters\n";
    print_params(info.params, "    ");
  }
}

// Components by short or full name, all components of a plugin by its id.
std::vector<KnownComponent> named(const Registry& registry, const std::string& name, std::vector<std::string>& known) {
  std::vector<KnownComponent> out;
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (!candidate.used()) continue;
    known.push_back(candidate.id);
    for (const ComponentInfo& info : candidate.components) {
      known.push_back(info.name);
      if (name == info.name || name == candidate.id || name == candidate.id + ":" + info.name)
        out.push_back({info, &candidate});
    }
  }
  return out;
}

[[noreturn]] void unknown_name(const Registry& registry, const std::string& name,
                               const std::vector<std::string>& known) {
  for (const PluginCandidate& candidate : registry.candidates()) {
    bool provides = name == candidate.id;
    for (const ComponentInfo& info : candidate.components) provides = provides || name == info.name;
    if (provides && !candidate.refused.empty()) {
      throw Error(ErrorCode::plugin, shown(candidate.file.string()) + " is refused: " + shown(candidate.refused));
    }
  }
  const std::string nearest = nearest_name(name, known);
  throw Error(ErrorCode::recipe,
              "no plugin or component is called `" + name + "`" +
                  (nearest.empty() ? "; see `plumb plugins list`" : "; did you mean `" + nearest + "`?"));
}

int show(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("name", po::value<std::string>()->required(), "a component, ID:COMPONENT, or a plugin's id");
  add_plugin_option(options);
  options.add_options()("json", "print JSON");
  const auto given =
      parse_verb(argc, argv, {"NAME [--json]", "Shows what a component does and its parameters."}, options, {"name"});
  if (!given) return 0;
  const Registry registry = scan_plugins(*given);
  const auto name = (*given)["name"].as<std::string>();
  std::vector<std::string> known;
  const std::vector<KnownComponent> found = named(registry, name, known);
  if (found.empty()) unknown_name(registry, name, known);
  Value::List all;
  for (const KnownComponent& component : found) {
    if (given->count("json") != 0) {
      Value one = describe(component.info);
      one.set("plugin", component.plugin->id);
      one.set("version", component.plugin->version);
      one.set("file", component.plugin->file.string());
      all.push_back(std::move(one));
      continue;
    }
    if (&component != &found.front()) std::cout << "\n";
    print(component);
  }
  if (given->count("json") != 0) unfiltered_output() << to_json(all, false, 2) << "\n";
  return 0;
}

struct Word {
  const char* name;
  const char* arguments;
  int (*run)(int argc, char** argv);
};
constexpr Word words[] = {
    {"list", "[--json]", list},
    {"show", "NAME [--json]", show},
    {"check", "FILE [--json]", run_plugins_check},
    {"new", "KIND NAME [--folder DIR] [--id ID]", run_plugins_new},
    {"docs", "[--markdown | --html]", run_plugins_docs},
    {"schema", "", run_plugins_schema},
};

}  // namespace

std::vector<std::string> plugins_words() {
  std::vector<std::string> out;
  for (const Word& word : words) out.emplace_back(word.name);
  return out;
}

int run_plugins(int argc, char** argv) {
  std::string usage;
  for (const Word& word : words) {
    usage += (usage.empty() ? "usage: plumb plugins " : "       plumb plugins ") + std::string(word.name) + " " +
             word.arguments + "\n";
  }
  const std::string given = argc > 1 ? argv[1] : "";
  if (given == "--help" || given == "-h") {
    std::cout << usage;
    return 0;
  }
  for (const Word& word : words) {
    if (given != word.name) continue;
    std::string name = "plugins " + given;  // how the help calls it
    argv[1] = name.data();
    return word.run(argc - 1, argv + 1);
  }
  throw Error(ErrorCode::recipe,
              (given.empty() ? "a word is missing\n" : "`plugins` knows no `" + given + "`\n") + usage);
}

}  // namespace plumb::cli
