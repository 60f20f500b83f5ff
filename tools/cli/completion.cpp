// `plumb completion SHELL` prints a shell's completion script; the script asks `plumb completion --line TEXT` for what
// could come next, so that verbs, options, recipes, their keys and plugins are always those of this very program.
#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>

#include "framework/core/components/choice.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/plugins.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

using Words = std::vector<std::string>;

// A candidate that ends in / = or . goes on: no space after it.
constexpr const char* kBash = R"(# plumb: completion for bash. Put this into ~/.bashrc:  source <(plumb completion bash)
_plumb() {
  local line=${COMP_LINE:0:COMP_POINT} word cut
  word=${line##*[[:space:]]}
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]/#\~/$HOME}" completion --line "$line" 2>/dev/null)
  cut=${word%"${word##*[=:]}"}  # bash ends words at = and :
  COMPREPLY=("${COMPREPLY[@]#"$cut"}")
  case ${COMPREPLY[0]-} in */ | *= | *.) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _plumb plumb
)";
constexpr const char* kZsh = R"(#compdef plumb
# plumb: completion for zsh. Put this into ~/.zshrc, after compinit:  source <(plumb completion zsh)
_plumb() {
  local -a found goes_on ended
  found=("${(@f)$("${words[1]/#\~/$HOME}" completion --line "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
  goes_on=(${(M)found:#*[/=.]})
  ended=(${${found:#*[/=.]}:#})
  compadd -Q -- $ended
  compadd -Q -S '' -- $goes_on
}
if [[ $funcstack[1] == _plumb ]]; then _plumb "$@"; else compdef _plumb plumb; fi
)";
constexpr const char* kFish =
    R"(# plumb: completion for fish. Run:  plumb completion fish >~/.config/fish/completions/plumb.fish
complete -c plumb -f -a '(plumb completion --line (commandline -cp | string collect) 2>/dev/null)'
)";

// Folders and files of these endings whose path begins with `begun`. Hidden ones when the name is begun with a dot.
Words paths(const std::string& begun, const Words& endings) {
  const std::size_t slash = begun.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : begun.substr(0, slash + 1);
  const std::string name = begun.substr(folder.size());
  Words out;
  std::error_code error;
  for (fs::directory_iterator at(folder.empty() ? "." : folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string here = at->path().filename().string();
    if (!here.starts_with(name) || (here[0] == '.' && name.empty())) continue;
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      out.push_back(folder + here + "/");
    } else if (std::any_of(endings.begin(), endings.end(), [&](const std::string& e) { return here.ends_with(e); })) {
      out.push_back(folder + here);
    }
  }
  return out;
}

LoadedRecipe load(const std::string& file) {
  return load_recipe({.file = file, .overrides = {}, .plugins = {}});
}

void add_keys(const Value& value, const std::string& prefix, Words& out) {
  for (const auto& [key, inner] : value.as_map()) {
    if (inner.is_map() && !inner.as_map().empty()) {
      add_keys(inner, prefix + key + ".", out);
    } else {
      out.push_back(prefix + key + "=");
    }
  }
}

// What --set could begin with: every key of the recipe, one part of it at a time.
Words keys(const std::string& recipe, const std::string& begun) {
  Words all{"name=", "seed="};
  const LoadedRecipe loaded = load(recipe);
  for (const StageSpec& stage : loaded.recipe.stages) {
    const std::string prefix = stage.section + "." + stage.name + ".";
    if (stage.params.is_map()) add_keys(stage.params, prefix, all);
    for (const ComponentUse& use : stage.components) {
      for (const ParamInfo& key : isolation_params(use.component->info)) {
        all.push_back(prefix + use.param + "." + key.name + "=");
      }
    }
  }
  std::set<std::string> out;
  for (const std::string& key : all) {
    if (!key.starts_with(begun)) continue;
    const std::size_t dot = key.find('.', begun.size());
    out.insert(dot == std::string::npos ? key : key.substr(0, dot + 1));
  }
  return {out.begin(), out.end()};
}

Words stage_names(const std::string& recipe) {
  Words out;
  const LoadedRecipe loaded = load(recipe);
  for (const StageSpec& stage : loaded.recipe.stages) out.push_back(stage.name);
  return out;
}

Words component_names() {
  Words out;
  const Registry registry = Registry::scan(PluginSearch::standard());
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (!candidate.used()) continue;
    out.push_back(candidate.id);
    for (const ComponentInfo& info : candidate.components) out.push_back(info.name);
  }
  return out;
}

// The line up to the cursor, taken apart.
struct Typed {
  Words words;        // whole ones: the verb, its words, options, values
  std::string begun;  // the one at the cursor, may be empty

  explicit Typed(const std::string& line) {
    std::istringstream in(line);
    for (std::string word; in >> word;) words.push_back(word);
    if (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) == 0 && !words.empty()) {
      begun = words.back();
      words.pop_back();
    }
    if (!words.empty()) words.erase(words.begin());  // the command itself
  }
};

Words values_of(const VerbArgument& argument, const std::string& word, const std::string& recipe,
                const std::string& begun) {
  if (argument.name == "set") return recipe.empty() ? Words() : keys(recipe, begun);
  if (argument.name == "until") return recipe.empty() ? Words() : stage_names(recipe);
  if (argument.name == "kind") return component_kinds();
  if (argument.name == "shell") return {"bash", "zsh", "fish"};
  if (argument.name == "name") return word == "new" ? Words() : component_names();
  if (argument.name == "recipe") return paths(begun, {".yaml", ".yml"});
  if (argument.name == "plugin" || argument.value == "PLUGIN") return paths(begun, {".plumb.so"});
  const bool folder = argument.value == "DIR" || argument.name == "run" || argument.name == "model";
  return paths(begun, folder ? Words() : Words{""});
}

// What could stand at the cursor, after the verb and its words.
Words arguments_at(const std::vector<VerbArgument>& known, const std::string& word, const Words& given,
                   const std::string& begun) {
  std::vector<const VerbArgument*> places;
  for (const VerbArgument& argument : known) {
    if (argument.positional) places.push_back(&argument);
  }
  const VerbArgument* open = nullptr;  // an option that waits for its value
  std::size_t place = 0;
  std::string recipe;
  for (const std::string& text : given) {
    if (open != nullptr) {
      open = nullptr;
    } else if (text.starts_with("-")) {
      for (const VerbArgument& argument : known) {
        if (text == "--" + argument.name && !argument.value.empty()) open = &argument;
      }
    } else if (place < places.size()) {
      if (places[place]->name == "recipe") recipe = text;
      if (!places[place]->many) ++place;
    }
  }
  if (open != nullptr) return values_of(*open, word, recipe, begun);
  Words out;
  if (begun.starts_with("-") || place >= places.size()) {
    for (const VerbArgument& argument : known) {
      const std::string option = "--" + argument.name;
      const bool taken = std::find(given.begin(), given.end(), option) != given.end();
      if (!argument.positional && (argument.many || !taken)) out.push_back(option);
    }
    return out;
  }
  return values_of(*places[place], word, recipe, begun);
}

Words candidates(const Typed& typed) {
  Words out;
  if (typed.words.empty()) {
    for (const Verb& verb : verbs()) out.emplace_back(verb.name);
    out.insert(out.end(), {"--help", "--version"});
    return out;
  }
  for (const Verb& verb : verbs()) {
    if (typed.words[0] != verb.name) continue;
    const bool has_words = typed.words[0] == "plugins";
    if (has_words && typed.words.size() == 1) return plugins_words();
    const std::size_t own = has_words ? 2 : 1;
    const auto at = typed.words.begin() + static_cast<std::ptrdiff_t>(own);
    const auto known = arguments_of(verb, {typed.words.begin(), at});
    return arguments_at(known, typed.words[own - 1], {at, typed.words.end()}, typed.begun);
  }
  return out;
}

}  // namespace

int run_completion(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("shell", po::value<std::string>(), "bash, zsh or fish")(
      "line", po::value<std::string>()->value_name("TEXT"),
      "print what could come next after this beginning of a command line; the scripts ask for it");
  const auto given = parse_verb(argc, argv,
                                {"SHELL",
                                 "Prints a script that lets a shell complete verbs, options, recipes, their keys and\n"
                                 "plugins. For bash, in ~/.bashrc:  source <(plumb completion bash)\n"
                                 "For zsh, in ~/.zshrc after compinit:  source <(plumb completion zsh)\n"
                                 "For fish:  plumb completion fish >~/.config/fish/completions/plumb.fish"},
                                options, {"shell"});
  if (!given) return 0;
  if (given->count("line") != 0) {
    const Typed typed((*given)["line"].as<std::string>());
    try {
      for (const std::string& word : candidates(typed)) {
        if (word.starts_with(typed.begun)) unfiltered_output() << word << "\n";
      }
    } catch (const Error&) {  // a recipe that is not there, say: nothing to offer
    }
    return 0;
  }
  const std::string shell = given->count("shell") != 0 ? (*given)["shell"].as<std::string>() : "";
  const char* script = shell == "bash" ? kBash : shell == "zsh" ? kZsh : shell == "fish" ? kFish : nullptr;
  if (script == nullptr) {
    throw Error(ErrorCode::recipe, "found the shell \"" + shell + "\", wanted bash, zsh or fish");
  }
  unfiltered_output() << script;
  return 0;
}

}  // namespace plumb::cli
