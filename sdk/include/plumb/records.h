// The rows of the artifacts: what data sources yield, stages pass on and plugins see. All text is UTF-8.
//
//   plumb::Prompt prompt{"hh-17", {{"user", "Name three fruits."}}};
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

using TokenId = std::int32_t;

struct Message {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
  bool operator==(const Message&) const = default;
};
using Conversation = std::vector<Message>;

// Something to answer: a conversation that ends with a user's turn.
struct Prompt {
  std::string id;  // unique in its dataset; keys the random draws, so it must not depend on row order
  Conversation messages;
  Value extra;  // further columns of the row, kept as they came (a reference answer, a category …)
};

// A conversation to imitate. Loss falls on the assistant's turns.
struct Demonstration {
  std::string id;
  Conversation messages;
  Value extra;
};

// Two answers to one prompt, the first preferred. Rewards are present when a reward model gave them.
struct Preference {
  std::string id;
  Prompt prompt;
  std::string chosen, rejected;
  std::optional<double> chosen_reward, rejected_reward, margin;
};

enum class FinishReason { stop, length };  // ended with EOS, or cut at max_new_tokens

// One sampled answer. `ids` are the sampled tokens including EOS when finish is stop; training uses them as they are.
// Empty ids (an answer from a dataset): the text is tokenised when it is needed.
struct Response {
  std::string text;
  std::vector<TokenId> ids;
  FinishReason finish = FinishReason::stop;
  std::optional<double> reward;  // set by the score stage; raw head output unless the artifact says normalised
};

// A prompt with its k responses: the unit of sampling, scoring, selection and training.
struct ResponseGroup {
  Prompt prompt;
  std::vector<TokenId> prompt_ids;  // as the policy's chat format renders it, with BOS; may be empty
  std::vector<Response> responses;
  std::optional<Preference> annotation;  // the dataset's own preference for this prompt, when it has one
};

using Record = std::variant<Prompt, Demonstration, Preference>;

// A measured number under a name such as "gold/mean". `low` and `high` bound its 95 % interval when it has one.
struct Metric {
  std::string name;
  double value = 0;
  std::optional<double> low, high;
  std::optional<double> standard_error;
  std::optional<std::int64_t> count;
};

}  // namespace v1
}  // namespace plumb
