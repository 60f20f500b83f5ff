// What the words of `plumb plugins` share: finding plugins, and saying what a parameter takes.
//
// Thread contract: as a verb.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <string>

#include "framework/core/registry/registry.h"

namespace plumb::cli {

void add_plugin_option(boost::program_options::options_description& options);    // --plugin FILE
PluginSearch plugin_search(const boost::program_options::variables_map& given);  // the standard places and --plugin
// Throws Error(plugin) when a file of --plugin was refused.
void require_given(const Registry& registry, const boost::program_options::variables_map& given);
Registry scan_plugins(const boost::program_options::variables_map& given);  // which requires them

// A plugin's text as one line that anything may print.
std::string shown(const std::string& text);

std::string plain_kind(const ComponentInfo& info);  // "judge" of "judge/1"
std::string limits_text(const ParamInfo& info);     // " ≥ 0.5, < 1", " a | b", " of type pairs", or empty
std::string default_text(const ParamInfo& info);    // "0.85", "required", "unset"

}  // namespace plumb::cli
