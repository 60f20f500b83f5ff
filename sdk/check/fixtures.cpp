#include "sdk/check/fixtures.h"

namespace plumb::check {

std::vector<Prompt> some_prompts() {
  return {
      {"prompt-0", {{"user", "Name three fruits."}}, {}},
      {"prompt-1", {{"user", "Übersetze: the plum is ripe – now."}}, {}},
      {"prompt-2", {{"user", "Name a tree."}, {"assistant", "An oak."}, {"user", "And one with needles?"}}, {}},
      {"prompt-3", {{"system", "Answer in one word."}, {"user", "What follows Monday?"}}, {}},
  };
}

std::vector<ResponseGroup> some_groups() {
  std::string longer = "It depends";
  for (int i = 0; i < 40; ++i) longer += i % 2 == 0 ? " on what" : " is asked,";
  std::vector<ResponseGroup> groups;
  for (const Prompt& prompt : some_prompts()) {
    ResponseGroup group{prompt, {}, {}, {}};
    const std::size_t count = 2 + groups.size();
    const std::vector<std::string> texts{"Apple, pear, plum.", "No.",           longer, "Tuesday",
                                         "Ein Ölbaum 🌳",       "Fig, fig, fig."};
    for (std::size_t i = 0; i < count; ++i) {
      Response response;
      response.text = texts[(i + groups.size()) % texts.size()];
      group.responses.push_back(std::move(response));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace plumb::check
