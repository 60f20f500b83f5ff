// `plumb tokenize TOKENIZER`: JSON strings in, token ids out, one a line; or the other way round.
#include <boost/program_options/value_semantic.hpp>
#include <iostream>
#include <limits>

#include "framework/core/components/load_tokenizer.h"
#include "framework/core/data/chat_format.h"
#include "framework/core/telemetry/output.h"
#include "plumb/json_fields.h"
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

void print_ids(const Tokenizer& tokenizer, const JsonFields& json, const Value& text, bool special) {
  std::cout << "{\"ids\":[";
  const char* comma = "";
  for (const TokenId id : ids_of(tokenizer, json.as_text(text, "the line"), special)) {
    std::cout << comma << id;
    comma = ",";
  }
  std::cout << "]}\n";
}

// `line` is a list of ids, or what print_ids prints.
void print_text(const Tokenizer& tokenizer, const JsonFields& json, const Value& line, bool special) {
  std::vector<TokenId> ids;
  for (const Value& id : line.is_map() ? json.list(line, "ids") : json.as_list(line, "the line")) {
    const std::int64_t number = json.as_integer(id, "a token id");
    if (number < 0 || number > std::numeric_limits<TokenId>::max()) json.fail(id, "is no token id");
    ids.push_back(static_cast<TokenId>(number));
  }
  unfiltered_output() << to_json(tokenizer.decode(ids, special)) << "\n";
}

}  // namespace

int run_tokenize(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("tokenizer", po::value<std::string>()->required(),
                        "a model folder, or a tokenizer file in one")(
      "no-special",
      "no BOS in front, and the spelling of a special token in a text is plain text; with --decode, special tokens are "
      "left out")("decode", "read {\"ids\":[…]} or lists of ids, print their texts as JSON strings");
  const auto given = parse_verb(
      argc, argv,
      {"TOKENIZER [--no-special] [--decode] <lines",
       "Reads JSON strings from standard input, one a line, and prints {\"ids\":[…]} for each. As with Hugging Face's\n"
       "tokenizers, BOS comes first where the tokenizer's models want one, and \"</s>\" in a text is that token."},
      options, {"tokenizer"});
  if (!given) return 0;

  CommandHost host;
  const Registry registry = Registry::scan(PluginSearch::standard());
  const auto tokenizer = load_tokenizer(registry, (*given)["tokenizer"].as<std::string>(), host).value();
  const bool special = given->count("no-special") == 0, decode = given->count("decode") > 0;
  const JsonFields json("standard input");
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Value value = parse_json(line, "standard input", number);
    decode ? print_text(*tokenizer, json, value, special) : print_ids(*tokenizer, json, value, special);
  }
  return 0;
}

}  // namespace plumb::cli
