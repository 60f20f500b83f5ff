#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "plumb/error.h"
#include "plumb/params.h"
#include "tools/cli/verb.h"

namespace po = boost::program_options;

namespace plumb::cli {
namespace {

std::string with_nearest(const po::unknown_option& error, const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back(option->long_name());
  std::string given = error.get_option_name();
  given.erase(0, given.find_first_not_of('-'));
  const std::string nearest = nearest_name(given, names);
  return "unknown option `" + error.get_option_name() + "`" +
         (nearest.empty() ? "" : "; did you mean `--" + nearest + "`?");
}

po::positional_options_description places(const po::options_description& options,
                                          const std::vector<std::string>& positional) {
  po::positional_options_description out;
  for (const std::string& name : positional) {
    const bool many = &name == &positional.back() && options.find(name, false).semantic()->is_composing();
    out.add(name.c_str(), many ? -1 : 1);
  }
  return out;
}

// Boost takes `--name=` for a missing value; here it is an empty one.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool empty = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    out.push_back(empty ? argument.substr(0, argument.size() - 1) : argument);
    if (empty) out.emplace_back();
  }
  return out;
}

// Set while somebody asks what a verb takes instead of running it.
std::vector<VerbArgument>* asked = nullptr;

void tell(const po::options_description& options, const std::vector<std::string>& positional) {
  const auto told = [](const po::option_description& option) {
    const auto semantic = option.semantic();
    return VerbArgument{option.long_name(), semantic->max_tokens() > 0 ? semantic->name() : "", false,
                        semantic->is_composing()};
  };
  for (const auto& option : options.options()) {
    if (std::find(positional.begin(), positional.end(), option->long_name()) == positional.end())
      asked->push_back(told(*option));
  }
  for (const std::string& name : positional) {
    asked->push_back(told(options.find(name, false)));
    asked->back().positional = true;
  }
}

// Places as the usage line calls them, then what needs its dashes.
void print_arguments(const VerbUsage& usage, const po::options_description& options,
                     const std::vector<std::string>& positional) {
  std::istringstream words(usage.arguments);
  if (!positional.empty()) std::cout << "Arguments:\n";
  for (const std::string& name : positional) {
    std::string word;
    words >> word;
    std::erase_if(word, [](char c) { return c == '[' || c == ']' || c == '.'; });
    std::cout << "  " << std::left << std::setw(18) << (word.empty() ? name : word) << " "
              << options.find(name, false).description() << "\n";
  }
  if (!positional.empty()) std::cout << "\n";
  po::options_description dashed("Options");
  for (const auto& option : options.options()) {
    if (std::find(positional.begin(), positional.end(), option->long_name()) == positional.end()) dashed.add(option);
  }
  std::cout << dashed;
}

}  // namespace

std::vector<VerbArgument> arguments_of(const Verb& verb, std::vector<std::string> argv) {
  std::vector<VerbArgument> out;
  std::vector<char*> pointers;
  for (std::string& word : argv) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  asked = &out;
  try {
    verb.run(static_cast<int>(argv.size()), pointers.data());
  } catch (...) {
    asked = nullptr;
    throw;
  }
  asked = nullptr;
  return out;
}

std::optional<po::variables_map> parse_verb(int argc, char** argv, const VerbUsage& usage,
                                            po::options_description options,
                                            const std::vector<std::string>& positional) {
  options.add_options()("help,h", "print this");
  if (asked != nullptr) {
    tell(options, positional);
    return std::nullopt;
  }
  const std::string synopsis = std::string("plumb ") + argv[0] + " " + usage.arguments;
  const std::string more = "; see `plumb " + std::string(argv[0]) + " --help`";
  try {
    constexpr int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::variables_map out;
    const auto named = places(options, positional);
    po::store(po::command_line_parser(arguments_of(argc, argv)).options(options).positional(named).style(style).run(),
              out);
    if (out.count("help") != 0) {
      std::cout << "usage: " << synopsis << "\n\n" << usage.text << "\n\n";
      print_arguments(usage, options, positional);
      return std::nullopt;
    }
    po::notify(out);
    return out;
  } catch (const po::too_many_positional_options_error&) {
    throw Error(ErrorCode::recipe, "too many arguments; usage: " + synopsis);
  } catch (const po::required_option&) {
    throw Error(ErrorCode::recipe, "an argument is missing; usage: " + synopsis);
  } catch (const po::unknown_option& error) {
    throw Error(ErrorCode::recipe, with_nearest(error, options) + more);
  } catch (const po::error& error) {
    throw Error(ErrorCode::recipe, error.what() + more);
  }
}

}  // namespace plumb::cli
