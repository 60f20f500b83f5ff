// `plumb tokenize TOKENIZER`: JSON strings in, token ids out, one a line.
#include <boost/program_options/value_semantic.hpp>
#include <iostream>

#include "framework/data/chat_format.h"
#include "framework/data/load_tokenizer.h"
#include "tools/cli/command_host.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

std::vector<TokenId> ids_of(const Tokenizer& tokenizer, const std::string& text, bool special) {
  if (!special) return tokenizer.encode(text);
  std::vector<TokenId> ids = tokenizer.encode_with_special(text);
  if (const auto bos = written_bos(tokenizer)) ids.insert(ids.begin(), *bos);
  return ids;
}

}  // namespace

int run_tokenize(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("tokenizer", po::value<std::string>()->required(),
                        "a model folder, or a tokenizer file in one")(
      "no-special", "no BOS in front, and the spelling of a special token in a text is plain text");
  const auto given = parse_verb(
      argc, argv,
      {"TOKENIZER [--no-special] <texts",
       "Reads JSON strings from standard input, one a line, and prints {\"ids\":[…]} for each. As with Hugging Face's\n"
       "tokenizers, BOS comes first where the tokenizer's models want one, and \"</s>\" in a text is that token."},
      options, {"tokenizer"});
  if (!given) return 0;

  CommandHost host;
  const Registry registry = Registry::scan(PluginSearch::standard());
  const auto tokenizer = load_tokenizer(registry, (*given)["tokenizer"].as<std::string>(), host).value();
  const bool special = given->count("no-special") == 0;
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Value text = parse_json(line, "standard input", number);
    if (!text.is_string()) {
      throw Error(ErrorCode::data, "standard input:" + std::to_string(number) + ":1: found " + text.type_name() +
                                       ", wanted a JSON string");
    }
    std::cout << "{\"ids\":[";
    const char* comma = "";
    for (const TokenId id : ids_of(*tokenizer, text.as_string(), special)) {
      std::cout << comma << id;
      comma = ",";
    }
    std::cout << "]}\n";
  }
  return 0;
}

}  // namespace plumb::cli
