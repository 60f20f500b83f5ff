// Generators: k responses for each prompt.
#include "plumb/generator.h"

#include "sdk/check/context.h"
#include "sdk/check/fixtures.h"

namespace plumb::check {
namespace {

Sampling sampling_of(const Context& c) {
  return {.responses = 3, .max_new_tokens = 6, .seed = c.options.seed};
}

std::string text(const ResponseGroup& group) {
  std::string out = group.prompt.id + "\n";
  for (const Response& response : group.responses) {
    out += response.text + "|";
    for (const TokenId id : response.ids) out += std::to_string(id) + " ";
    out += response.finish == FinishReason::stop ? "stop\n" : "length\n";
  }
  return out;
}

std::string use(Context& c, Component& component) {
  const auto prompts = some_prompts();
  std::vector<std::string> texts(prompts.size());
  static_cast<Generator&>(component).generate(prompts, sampling_of(c), [&](std::size_t i, ResponseGroup&& group) {
    if (i < texts.size()) texts[i] = text(group);
  });
  std::string out;
  for (const std::string& one : texts) out += one;
  return out;
}

void complete(Context& c) {
  Made made = c.make();
  const auto prompts = some_prompts();
  std::vector<int> times(prompts.size());
  made.as<Generator>().generate(prompts, sampling_of(c), [&](std::size_t i, ResponseGroup&& group) {
    require(i < prompts.size(), "it answers prompt " + std::to_string(i) + " of " + std::to_string(prompts.size()));
    ++times[i];
    require(group.prompt.id == prompts[i].id, "the group of prompt " + std::to_string(i) + " holds another prompt");
    require(group.responses.size() == 3, "wanted 3 responses, found " + std::to_string(group.responses.size()));
    for (const Response& response : group.responses) {
      require(response.ids.size() <= 6,
              "a response has " + std::to_string(response.ids.size()) + " tokens; 6 are the most");
    }
  });
  for (std::size_t i = 0; i < times.size(); ++i) {
    require(times[i] == 1, "prompt " + std::to_string(i) + " was answered " + std::to_string(times[i]) + " times");
  }
}

// A token's draw is a function of (seed, prompt, response, position).
void batches(Context& c) {
  Made made = c.make();
  const auto prompts = some_prompts();
  std::string together = c.use(made), alone;
  for (const Prompt& prompt : prompts) {
    made.as<Generator>().generate({&prompt, 1}, sampling_of(c),
                                  [&](std::size_t, ResponseGroup&& group) { alone += text(group); });
  }
  require(alone == together, "a prompt alone has other responses than among others");
}

void cancelled(Context& c) {
  Made made = c.make();
  c.host.cancel = true;
  const std::vector<Prompt> many(2000, some_prompts().front());
  std::size_t answered = 0;
  made.as<Generator>().generate(many, sampling_of(c), [&](std::size_t, ResponseGroup&&) { ++answered; });
  require(answered < many.size(), "the host was cancelled and it went on to the end");
}

}  // namespace

Kind generator_kind() {
  return {Generator::kind,
          "generator",
          use,
          nullptr,
          {
              {"generator.complete", "every prompt once, with as many responses as were asked for", complete, true},
              {"generator.batches", "a prompt's responses do not depend on the other prompts", batches},
              {"generator.cancelled", "stops when the host is cancelled", cancelled},
          }};
}

}  // namespace plumb::check
