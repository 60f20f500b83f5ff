// `plumb plugins new KIND NAME`: a working plugin of one's own, from the files in share/plumb/template.
//
// The template is a plugin that compiles as it is. Its name is replaced in texts and in file names, in each spelling
// that it has there: my-plugin, my_plugin, MyPlugin; and my-kind by the kind.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options/value_semantic.hpp>
#include <cctype>
#include <filesystem>
#include <iostream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/catalogue/stage.h"
#include "framework/core/registry/installation.h"
#include "framework/core/registry/registry.h"
#include "plumb/error.h"
#include "plumb/params.h"
#include "plumb/stage.h"
#include "tools/cli/plugins.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

using Spellings = std::vector<std::pair<std::string, std::string>>;  // of the template, of the new plugin

std::string replaced(std::string text, const Spellings& spellings) {
  for (const auto& [from, to] : spellings) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
  }
  return text;
}

std::string camel_case(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c != '-') out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '-';
  }
  return out;
}

Spellings spellings_of(const std::string& kind, const std::string& name, const std::string& id) {
  std::string snake_case = name;
  std::replace(snake_case.begin(), snake_case.end(), '-', '_');
  return {{"org.example.my-plugin", id},
          {"my-plugin", name},
          {"my_plugin", snake_case},
          {"MyPlugin", camel_case(name)},
          {"my-kind", kind}};
}

// What CMake or its generators keep for themselves.
constexpr std::array<std::string_view, 9> kReserved{"all",  "clean",   "depend",  "edit-cache",   "help",
                                                    "test", "install", "package", "rebuild-cache"};

void check_name(const std::string& name) {
  const auto allowed = [](unsigned char c) { return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-'; };
  const bool spelt = !name.empty() && name.size() <= 64 && std::islower(static_cast<unsigned char>(name[0])) != 0 &&
                     std::all_of(name.begin(), name.end(), allowed) && name.back() != '-' &&
                     name.find("--") == std::string::npos;
  if (!spelt) {
    throw Error(ErrorCode::recipe,
                fmt::format("found the name \"{}\"; wanted words of lower-case letters and digits with - between them, "
                            "such as length-gap, at most 64 characters",
                            name));
  }
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
    throw Error(ErrorCode::recipe, fmt::format("CMake keeps the name \"{}\" for itself; choose another", name));
  }
}

void check_id(const std::string& id) {
  const auto allowed = [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-' || c == '.';
  };
  if (std::all_of(id.begin(), id.end(), allowed) && std::count(id.begin(), id.end(), '.') >= 2) return;
  throw Error(ErrorCode::recipe,
              fmt::format("--id: found \"{}\", wanted a reverse domain name, such as org.example.length-gap", id));
}

// A recipe that names the component must mean the new one.
void check_unused(const std::string& kind, const std::string& name) {
  if (kind == without_revision(Stage::kind) && find_stage_kind(name) != nullptr) {
    throw Error(ErrorCode::recipe,
                fmt::format("the framework has a stage kind `{}` of its own; choose another name", name));
  }
  const Registry registry = Registry::scan(PluginSearch::standard());
  const KnownComponent* known = registry.find(kind, name);
  if (known == nullptr) return;
  throw Error(ErrorCode::recipe, fmt::format("{} ({}) provides a {} `{}` already; choose another name",
                                             known->plugin->id, known->plugin->file.string(), kind, name));
}

std::vector<std::string> kinds_in(const fs::path& templates) {
  std::vector<std::string> kinds;
  std::error_code error;
  for (fs::directory_iterator at(templates, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (at->is_directory() && name[0] != '.') kinds.push_back(name);
  }
  std::sort(kinds.begin(), kinds.end());
  return kinds;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

void check_kind(const std::string& kind, const std::vector<std::string>& kinds, const fs::path& templates) {
  if (kinds.empty()) {
    throw Error(ErrorCode::data, templates.string() + " holds no templates; install Plumbline again");
  }
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  const std::string nearest = nearest_name(kind, kinds);
  throw Error(ErrorCode::recipe,
              fmt::format("there is no kind of component `{}`{}; there are: {}", kind,
                          nearest.empty() ? "" : ", did you mean `" + nearest + "`?", joined(kinds)));
}

// Copies every file below `from`, passing over the folders `skip`. The kind's files replace those of every plugin.
void copy(const fs::path& from, const fs::path& to, const std::vector<std::string>& skip, const Spellings& spellings) {
  for (fs::recursive_directory_iterator at(from), end; at != end; ++at) {
    const fs::path inner = at->path().lexically_relative(from);
    if (at->is_directory()) {
      if (std::find(skip.begin(), skip.end(), inner.string()) != skip.end()) at.disable_recursion_pending();
      continue;
    }
    const fs::path file = to / replaced(inner.string(), spellings);
    fs::create_directories(file.parent_path());
    write_file(file, replaced(read_file(at->path()).value(), spellings)).value();
    fs::permissions(file, fs::status(at->path()).permissions() | fs::perms::owner_write);
  }
}

fs::path template_folder() {
  return installation_prefix() / "share" / "plumb" / "template";
}

}  // namespace

std::vector<std::string> component_kinds() {
  return kinds_in(template_folder());
}

int run_plugins_new(int argc, char** argv) {
  const fs::path templates = template_folder();
  const std::vector<std::string> kinds = kinds_in(templates);
  po::options_description options("Options");
  options.add_options()("kind", po::value<std::string>()->required(), "of component")(
      "name", po::value<std::string>()->required(), "of the component, such as length-gap")(
      "folder", po::value<std::string>()->value_name("DIR"), "where to write it; ./NAME unless given")(
      "id", po::value<std::string>()->value_name("ID"), "of the plugin; org.example.NAME unless given");
  const std::string text =
      "Writes a plugin that builds, with a test, a recipe and what CI needs. KIND is one of\n" + joined(kinds) + ".";
  const auto given =
      parse_verb(argc, argv, {"KIND NAME [--folder DIR] [--id ID]", text.c_str()}, options, {"kind", "name"});
  if (!given) return 0;
  const auto kind = (*given)["kind"].as<std::string>(), name = (*given)["name"].as<std::string>();
  const std::string id = given->count("id") != 0 ? (*given)["id"].as<std::string>() : "org.example." + name;
  const fs::path folder = given->count("folder") != 0 ? (*given)["folder"].as<std::string>() : name;
  check_kind(kind, kinds, templates);
  check_name(name);
  check_id(id);
  check_unused(kind, name);
  std::error_code error;
  if (fs::exists(folder, error) && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))) {
    throw Error(ErrorCode::recipe, folder.string() + " exists and is not empty; choose another with --folder");
  }
  const Spellings spellings = spellings_of(kind, name, id);
  try {
    copy(templates, folder, kinds, spellings);
    copy(templates / kind, folder, {}, spellings);
  } catch (const fs::filesystem_error& failed) {
    throw Error(ErrorCode::data, failed.what());
  }
  std::cout << "wrote the " << kind << " " << name << " into " << folder.string() << "; next:\n\n  cd "
            << folder.string() << "\n  cmake -S . -B build -DCMAKE_PREFIX_PATH=" << installation_prefix().string()
            << "\n  cmake --build build\n  ctest --test-dir build\n  plumb run recipe.yaml\n";
  return 0;
}

}  // namespace plumb::cli
