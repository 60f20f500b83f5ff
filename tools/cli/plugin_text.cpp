#include "tools/cli/plugin_text.h"

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <filesystem>

#include "framework/core/telemetry/text.h"

namespace fs = std::filesystem;
namespace po = boost::program_options;

namespace plumb::cli {

using Files = std::vector<std::string>;

void add_plugin_option(po::options_description& options) {
  options.add_options()("plugin", po::value<Files>()->composing()->value_name("FILE"),
                        "a further plugin file; may be repeated");
}

PluginSearch plugin_search(const po::variables_map& given) {
  PluginSearch search = PluginSearch::standard();
  if (given.count("plugin") != 0) {
    for (const std::string& file : given["plugin"].as<Files>()) search.files.emplace_back(file);
  }
  return search;
}

void require_given(const Registry& registry, const po::variables_map& given) {
  if (given.count("plugin") == 0) return;
  std::error_code ignored;
  const auto place = [&](const fs::path& file) { return fs::absolute(file, ignored).lexically_normal(); };
  for (const std::string& file : given["plugin"].as<Files>()) {
    for (const PluginCandidate& candidate : registry.candidates()) {
      if (candidate.refused.empty() || place(candidate.file) != place(file)) continue;
      throw Error(ErrorCode::plugin, "--plugin " + shown(file) + " is refused: " + shown(candidate.refused));
    }
  }
}

Registry scan_plugins(const po::variables_map& given) {
  Registry registry = Registry::scan(plugin_search(given));
  require_given(registry, given);
  return registry;
}

std::string shown(const std::string& text) {
  std::string out = printable(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string plain_kind(const ComponentInfo& info) {
  return without_revision(info.kind);
}

std::string limits_text(const ParamInfo& info) {
  const auto number = [](double v) {
    return to_json(v == static_cast<double>(static_cast<std::int64_t>(v)) ? Value(static_cast<std::int64_t>(v))
                                                                          : Value(v));
  };
  std::string out;
  if (info.min) out += (info.min_open ? " > " : " ≥ ") + number(*info.min);
  if (info.max) out += std::string(out.empty() ? "" : ",") + (info.max_open ? " < " : " ≤ ") + number(*info.max);
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    out += what;
    for (const std::string& name : names) out += (&name == &names.front() ? "" : " | ") + name;
  };
  add(" ", info.choices);
  add(" of type ", info.accepts);
  if (!info.component_kind.empty()) out += " of kind " + info.component_kind;
  return out;
}

std::string default_text(const ParamInfo& info) {
  if (info.required) return "required";
  if (info.default_value.is_null()) return "unset";
  const Value* name = info.default_value.is_map() ? info.default_value.find("name") : nullptr;
  if (name != nullptr && info.default_value.as_map().size() == 1) return name->as_string();
  if (info.default_value.is_string() && !info.default_value.as_string().empty()) return info.default_value.as_string();
  return to_json(info.default_value);
}

}  // namespace plumb::cli
