// What the verbs share that let a model speak: which model, how its tokens are drawn, what reaches a terminal.
//
//   add_talk_options(options);
//   const Sampling sampling = sampling_of(*given);
//   TalkHost host;
//   const Registry registry = scan_for((*given)["model"].as<std::string>(), *given);   // plugins_of_run.h
//   const auto model = open_to_talk(*given, registry, host);
//
// Thread contract: as a verb.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <memory>
#include <string>

#include "framework/core/door/answering.h"
#include "framework/core/registry/registry.h"
#include "tools/cli/command_host.h"

namespace plumb::cli {

inline constexpr const char* kTalkArguments =
    "[--system TEXT] [--greedy] [--temperature T] [--top-k K] [--top-p P] [--max-new-tokens N] [--seed S] "
    "[--chat-format NAME] [--dtype TYPE] [--device DEVICE] [--weights KIND] [--plugin FILE]...";

// MODEL and the options above, --chat-format and those of placement_options.h.
void add_talk_options(boost::program_options::options_description& options);

// Error(recipe) for a number that is out of range, and for --greedy with a temperature.
Sampling sampling_of(const boost::program_options::variables_map& given);
std::string system_of(const boost::program_options::variables_map& given);  // empty when there is none

// Stops an answer when SIGINT has come (stop_answers_on_interrupt).
class TalkHost final : public CommandHost {
 public:
  [[nodiscard]] bool cancelled() const override;
};

// From now on SIGINT only sets a flag; interrupted() reads it and clear_interrupt() forgets it.
void stop_answers_on_interrupt();
bool interrupted();
void clear_interrupt();

// Errors beyond those of opening: a run's folder (its models are named), a reward model.
std::unique_ptr<Answerer> open_to_talk(const boost::program_options::variables_map& given, const Registry& registry,
                                       Host& host);

// Writes and flushes. A model's text may hold anything: a terminal gets what printable() (telemetry/text.h) leaves of it, a
// file or a pipe gets the text as it is.
void say(std::string_view text);

}  // namespace plumb::cli
