// A verb of the command: `plumb VERB …`. One file per verb; the table is in verbs.cpp.
//
//   int run_count(int argc, char** argv) {                // count.cpp; argv[0] is "count"
//     po::options_description options("Options");
//     options.add_options()("folder", po::value<std::string>()->required(), "what to look at");
//     const VerbUsage usage{"FOLDER", "Counts the files of a folder."};
//     const auto given = parse_verb(argc, argv, usage, options, {"folder"});
//     if (!given) return 0;                                 // --help was asked for and printed
//     std::cout << … << "\n";                               // results; progress goes to stderr
//     return 0;
//   }
//
// What is wrong is thrown as plumb::Error; main prints it once and turns its code into the exit status. Broken standard
// output is main's concern too.
// Thread contract: a verb runs alone, in the main thread.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <optional>
#include <string>
#include <vector>

namespace plumb::cli {

struct Verb {
  const char* name;
  const char* summary;  // for `plumb --help`
  int (*run)(int argc, char** argv);
};
const std::vector<Verb>& verbs();

struct VerbUsage {
  const char* arguments;  // after the verb's name, "RECIPE [--set KEY=VALUE]…"
  const char* text;       // what it does, some lines
};

// The verb's arguments, or nothing when --help was asked for. `positional` names options that may be given without
// their dashes, in order; the last takes all that remain when it is composing(). Throws Error(recipe) for anything
// unknown or missing, with the nearest option.
std::optional<boost::program_options::variables_map> parse_verb(int argc, char** argv, const VerbUsage& usage,
                                                                boost::program_options::options_description options,
                                                                const std::vector<std::string>& positional = {});

// What a verb takes, for completion.
struct VerbArgument {
  std::string name;   // "until"; of a positional argument too
  std::string value;  // what the help calls its value, "STAGE"; empty when it takes none
  bool positional = false, many = false;
};
// `argv` is the verb's own, as far as its words go ("plugins", "show"). Nothing is run. Throws what the verb throws
// before it reads its arguments.
std::vector<VerbArgument> arguments_of(const Verb& verb, std::vector<std::string> argv);

int run_plan(int argc, char** argv);
int run_validate(int argc, char** argv);
int run_run(int argc, char** argv);
int run_sweep(int argc, char** argv);
int run_compare(int argc, char** argv);
int run_show(int argc, char** argv);
int run_report(int argc, char** argv);
int run_plugins(int argc, char** argv);
int run_certify(int argc, char** argv);
int run_merge(int argc, char** argv);
int run_tokenize(int argc, char** argv);
int run_generate(int argc, char** argv);
int run_chat(int argc, char** argv);
int run_stats(int argc, char** argv);

int run_completion(int argc, char** argv);

}  // namespace plumb::cli
