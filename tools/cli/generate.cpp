// `plumb generate MODEL --prompt TEXT`: one answer.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <iostream>

#include "framework/core/telemetry/output.h"
#include "tools/cli/plugins_of_run.h"
#include "tools/cli/talk.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

RenderedPrompt prompt_of(const Answerer& model, const po::variables_map& given) {
  const auto text = given["prompt"].as<std::string>();
  const std::string system = system_of(given);
  const bool plain = given.count("raw") != 0 || text.empty() || model.chat_format().empty();
  if (!plain) {
    Conversation messages;
    if (!system.empty()) messages.push_back({"system", system});
    messages.push_back({"user", text});
    return model.prompt_of(messages);
  }
  if (!system.empty()) {
    throw Error(ErrorCode::recipe, given.count("raw") != 0 ? "--system and --raw exclude each other"
                                   : text.empty()          ? "--system needs a prompt that is not empty"
                                                  : "--system needs a chat format, and the model's folder names "
                                                    "none; see --chat-format");
  }
  return model.prompt_of(text);
}

Value ids_value(const std::vector<TokenId>& ids) {
  Value::List out;
  for (const TokenId id : ids) out.emplace_back(static_cast<std::int64_t>(id));
  return out;
}

Value describe(const RenderedPrompt& prompt, const Answer& answer) {
  return Value::map({{"text", answer.text},
                     {"finish", answer.finish == FinishReason::stop ? "stop" : "length"},
                     {"ids", ids_value(answer.ids)},
                     {"prompt_ids", ids_value(prompt.ids)}});
}

}  // namespace

int run_generate(int argc, char** argv) {
  po::options_description options("Options");
  add_talk_options(options);
  options.add_options()("prompt", po::value<std::string>()->required()->value_name("TEXT"),
                        "what to answer; empty: start from BOS alone")(
      "raw", "take the prompt as plain text to go on from, not as a turn of a conversation")(
      "json", "print {\"text\", \"finish\": \"stop\" or \"length\", \"ids\", \"prompt_ids\"}");
  const std::string arguments = fmt::format("MODEL --prompt TEXT {} [--raw] [--json]", kTalkArguments);
  const auto given =
      parse_verb(argc, argv,
                 {arguments.c_str(),
                  "Prints one answer, as it comes. The prompt is written in the chat format stored with the "
                  "model; without one, or\nwith --raw, it is plain text that the model continues."},
                 options, {"model"});
  if (!given) return 0;
  const Sampling sampling = sampling_of(*given);
  const bool json = given->count("json") != 0;

  TalkHost host;
  const Registry registry = scan_for((*given)["model"].as<std::string>(), *given);
  const auto model = open_to_talk(*given, registry, host);
  const RenderedPrompt prompt = prompt_of(*model, *given);
  const Answer answer = model->answer(prompt, sampling, [&](std::string_view more) {
    if (!json) say(more);
  });
  (json ? unfiltered_output() << to_json(describe(prompt, answer)) : std::cout) << "\n";
  return 0;
}

}  // namespace plumb::cli
