// The prompt of a row that holds more than a prompt: one rule for every stage that answers such rows.
//
//   std::optional<Conversation> asked = prompt_messages(demonstration.messages);   // up to the user's last message
//   std::optional<Preference> annotation = take_annotation(prompt);   // what `dataset … as: prompts` kept of a
//   preference
//
// Thread contract: functions are [any].
#pragma once

#include <optional>

#include "plumb/records.h"

namespace plumb {

// Up to and with the user's last message; nothing when the user says nothing.
std::optional<Conversation> prompt_messages(const Conversation& messages);

// The prompt that a demonstration answers, with its other columns.
std::optional<Prompt> asked_prompt(const Demonstration& row);

// The prompt with the preference's answers as `annotation: {chosen, rejected}` among its columns.
Prompt annotated_prompt(const Preference& row);

// The preference that annotated_prompt() kept, whose column is then removed. A column of that name with other content
// stays as it is.
std::optional<Preference> take_annotation(Prompt& prompt);

}  // namespace plumb
