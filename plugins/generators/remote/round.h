// One call of generate: a request for each answer, many under way at once, prompt by prompt.
//
//   Round round(prompts, sampling, texts, model);
//   std::size_t answers = round.run(client, dialect, probe, done, 64);
//
// Thread contract: [lane]; `done` is called from the round's threads, one at a time.
#pragma once

#include <plumb/generator.h>
#include <plumb/policy_texts.h>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "client.h"
#include "dialect.h"
#include "probe.h"

namespace remote {

class Round {
 public:
  using Done = std::function<void(std::size_t, plumb::ResponseGroup&&)>;

  // Error(data), before anything is asked, for a prompt that leaves no room for max_new_tokens in the model's context.
  Round(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling, const plumb::TextsHandle& texts,
        const std::string& model);

  // As the round asks for the prompt's first answer.
  [[nodiscard]] const Question& question(std::size_t prompt) const { return questions_[prompt]; }

  // How many answers came. Ends early when the host is cancelled. What goes wrong for one request ends the round, after
  // those under way. `probe` may be null.
  std::size_t run(server::Client& client, const Dialect& dialect, Probe* probe, const Done& done, std::size_t at_once);

 private:
  struct Asking {
    server::Client& client;
    const Dialect& dialect;
    Probe* probe;
    const Done& done;
  };
  void work(const Asking& asking);
  void answer(const Asking& asking, std::size_t task);
  void end(std::exception_ptr why);

  std::span<const plumb::Prompt> prompts_;
  const plumb::Sampling& sampling_;
  const plumb::TextsHandle& texts_;
  std::size_t draws_;  // answers asked for, to a prompt
  std::vector<Question> questions_;
  std::vector<plumb::ResponseGroup> groups_;
  std::vector<std::size_t> left_;  // answers of a group that are missing
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::size_t answers_ = 0;
};

}  // namespace remote
