// `plumb plugins list` and `plumb plugins show NAME`: what is at hand, and why something is not.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <iostream>

#include "framework/registry/registry.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

Registry scan(const po::variables_map& given) {
  PluginSearch search = PluginSearch::standard();
  if (given.count("plugin") > 0) {
    for (const auto& file : given["plugin"].as<std::vector<std::string>>()) search.files.emplace_back(file);
  }
  return Registry::scan(search);
}

Value to_value(const PluginCandidate& candidate) {
  Value::List components;
  for (const ComponentInfo& info : candidate.components) components.push_back(describe(info));
  return Value::map({{"file", candidate.file.string()},
                     {"id", candidate.id},
                     {"version", candidate.version},
                     {"licence", candidate.licence},
                     {"summary", candidate.summary},
                     {"fingerprint", candidate.fingerprint},
                     {"used", candidate.used()},
                     {"refused", candidate.refused},
                     {"same_as", candidate.same_as},
                     {"components", std::move(components)}});
}

void list(const Registry& registry, bool json) {
  if (json) {
    Value::List all;
    for (const PluginCandidate& candidate : registry.candidates()) all.push_back(to_value(candidate));
    std::cout << to_json(all, false, 2) << "\n";
    return;
  }
  for (const PluginCandidate& candidate : registry.candidates()) {
    std::cout << fmt::format("{} {}{}\n    {}\n", candidate.id.empty() ? "(unknown)" : candidate.id, candidate.version,
                             candidate.used() ? "" : "  NOT USED", candidate.file.string());
    if (!candidate.refused.empty()) std::cout << "    refused: " << candidate.refused << "\n";
    if (!candidate.same_as.empty()) std::cout << "    same content as " << candidate.same_as << "\n";
    for (const ComponentInfo& info : candidate.components) {
      std::cout << fmt::format("    {} {}: {}\n", info.kind, info.name, info.doc);
    }
  }
}

std::string bounds(const ParamInfo& info) {
  std::string text;
  if (info.min) text += fmt::format("{} {}", info.min_open ? ">" : ">=", *info.min);
  if (info.max) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", info.max_open ? "<" : "<=", *info.max);
  for (const std::string& choice : info.choices) text += (text.empty() ? "one of " : ", ") + choice;
  if (!info.unit.empty()) text += (text.empty() ? "in " : "; in ") + info.unit;
  return text;
}

void show(const KnownComponent& component) {
  const ComponentInfo& info = component.info;
  std::cout << fmt::format("{} {}\n{}\n", info.kind, info.name, info.doc);
  if (!info.source.empty()) std::cout << "source: " << info.source << "\n";
  std::cout << fmt::format("plugin: {} {}, {}\n", component.plugin->id, component.plugin->version,
                           component.plugin->file.string());
  const auto row = [](const char* what, const std::vector<std::string>& items) {
    if (!items.empty()) std::cout << what << ": " << fmt::format("{}", fmt::join(items, ", ")) << "\n";
  };
  row("yields", info.yields);
  row("takes", info.takes);
  row("needs", info.needs);
  row("recognises", info.claims);
  const Value described = describe(info.params);
  std::cout << (info.params.empty() ? "no parameters\n" : "parameters:\n");
  for (std::size_t i = 0; i < info.params.size(); ++i) {
    const ParamInfo& param = info.params[i];
    const std::string limits = bounds(param);
    std::cout << fmt::format("  {} ({}, {}){}\n      {}\n", param.name, described.as_list()[i].at("type").as_string(),
                             param.required ? "required" : "default " + to_json(param.default_value),
                             limits.empty() ? "" : "  " + limits, param.doc);
  }
}

int show_named(const Registry& registry, const std::string& name, bool json) {
  bool found = false;
  std::vector<std::string> names;
  Value::List all;
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (!candidate.used()) continue;
    for (const ComponentInfo& info : candidate.components) {
      names.push_back(info.name);
      if (info.name != name && candidate.id != name && candidate.id + ":" + info.name != name) continue;
      if (json) {
        all.push_back(describe(info));
      } else {
        show({info, &candidate});
      }
      found = true;
    }
  }
  if (!found) {
    const std::string nearest = nearest_name(name, names);
    throw Error(ErrorCode::recipe, fmt::format("there is no component or plugin `{}`; {}", name,
                                               nearest.empty() ? "`plumb plugins list` shows what there is"
                                                               : "the nearest name is `" + nearest + "`"));
  }
  if (json) std::cout << to_json(all, false, 2) << "\n";
  return 0;
}

}  // namespace

int run_plugins(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("action", po::value<std::string>()->required(), "list or show")(
      "name", po::value<std::string>(), "of a component or a plugin, for show")(
      "plugin", po::value<std::vector<std::string>>()->composing(), "a plugin file besides those found")("json",
                                                                                                         "print JSON");
  const auto given =
      parse_verb(argc, argv,
                 {"list|show [NAME] [--plugin FILE]… [--json]",
                  "Lists every plugin file found, with the reason where one is refused, or shows a component's\n"
                  "parameters with their types, limits and defaults."},
                 options, {"action", "name"});
  if (!given) return 0;
  const std::string action = (*given)["action"].as<std::string>();
  if (action == "list") {
    list(scan(*given), given->count("json") > 0);
    return 0;
  }
  if (action != "show") throw Error(ErrorCode::recipe, "plumb plugins knows list and show, not `" + action + "`");
  if (given->count("name") == 0)
    throw Error(ErrorCode::recipe, "plumb plugins show needs a NAME; see `plumb plugins list`");
  return show_named(scan(*given), (*given)["name"].as<std::string>(), given->count("json") > 0);
}

}  // namespace plumb::cli
