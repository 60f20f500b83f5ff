// The requests' little language: what is asked for, how an answer is written, and what it is worth.
//
//   std::optional<Request> request = parse_request(prompt.messages);
//   GoldScore score = rate(*request, "sure! apple, kiwi and fig.");   // score.total in [0, 1]
//
// Thread contract: functions are [any].
#pragma once

#include <plumb/random.h>
#include <plumb/records.h>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace requests {

struct Category {
  std::string_view name;
  std::array<std::string_view, 8> items;
};
const std::array<Category, 6>& categories();

struct Request {
  int category = 0;
  int count = 1;                         // 1 to 5, of the last turn
  bool polite = false;                   // the last turn says please
  std::optional<std::string> forbidden;  // named in the first turn, holds for every turn
  std::vector<std::string> earlier;      // items of earlier answers
};

struct GoldScore {
  double total = 0;  // mean of the five criteria; 0 when malformed
  bool well_formed = false;
  double count = 0, category = 0, distinct = 0, politeness = 0, obedience = 0;
};

// What the conversation's last user turn asks for, or nothing when it is not in the language.
std::optional<Request> parse_request(const plumb::Conversation& messages);
GoldScore rate(const Request& request, std::string_view answer);

// A first turn: "give me three fruits not plum, please."
std::string write_request(const Request& request, std::string_view verb);
// A later turn: "two more, please."
std::string write_follow_up(const Request& request);
std::string write_answer(const std::vector<std::string>& items, bool sure);

// An answer of mixed quality: each criterion is met with a probability of about 0.6 to 0.8.
std::string draw_answer(const Request& request, plumb::Random& random);

}  // namespace requests
