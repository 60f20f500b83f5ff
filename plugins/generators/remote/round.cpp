#include "round.h"

#include <plumb/error.h>
#include <plumb/random.h>
#include <algorithm>
#include <thread>

namespace remote {
namespace {

void check_room(const plumb::Prompt& prompt, const Question& question, std::int64_t context) {
  const auto length = static_cast<std::int64_t>(question.prompt.size());
  if (length > 0 && length + question.max_new_tokens <= context) return;
  throw plumb::Error(plumb::ErrorCode::data,
                     "prompt " + prompt.id + " has " + std::to_string(length) + " tokens; with max_new_tokens " +
                         std::to_string(question.max_new_tokens) + " that passes the model's context of " +
                         std::to_string(context) + ": lower max_new_tokens, or leave out or shorten the prompt");
}

}  // namespace

Round::Round(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling, const plumb::TextsHandle& texts,
             const std::string& model)
    : prompts_(prompts),
      sampling_(sampling),
      texts_(texts),
      // Greedy answers are all the same: one is asked for.
      draws_(static_cast<std::size_t>(sampling.temperature == 0 ? 1 : sampling.responses)),
      groups_(prompts.size()),
      left_(prompts.size(), draws_) {
  for (const plumb::Prompt& prompt : prompts) {
    questions_.push_back({.model = model,
                          .prompt = texts.prompt_ids(prompt),
                          .ends = texts.ends(),
                          .vocabulary = texts.vocabulary(),
                          .max_new_tokens = sampling.max_new_tokens,
                          .temperature = sampling.temperature,
                          .top_k = sampling.top_k,
                          .top_p = sampling.top_p});
    check_room(prompt, questions_.back(), texts.context());
  }
}

std::size_t Round::run(server::Client& client, const Dialect& dialect, Probe* probe, const Done& done,
                       std::size_t at_once) {
  const Asking asking{client, dialect, probe, done};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(at_once, prompts_.size() * draws_); ++i) {
      threads.emplace_back([&] { work(asking); });
    }
  }
  if (failure_) std::rethrow_exception(failure_);
  return answers_;
}

void Round::work(const Asking& asking) {
  try {
    while (!over_) {
      const std::size_t task = next_++;
      if (task >= prompts_.size() * draws_) return;
      answer(asking, task);
    }
  } catch (const server::Stopped&) {
    over_ = true;
  } catch (...) {
    end(std::current_exception());
  }
}

void Round::answer(const Asking& asking, std::size_t task) {
  const std::size_t prompt = task / draws_, number = task % draws_;
  Question question = questions_[prompt];
  question.seed = plumb::Random(sampling_.seed).derive(prompts_[prompt].id).derive(number).bits();
  plumb::Response response = ask(asking.client, asking.dialect, question, prompts_[prompt].id);
  if (asking.probe != nullptr) asking.probe->hold(asking.client, asking.dialect);
  response.text = texts_.answer_text(response.ids);

  const std::scoped_lock lock(mutex_);
  ++answers_;
  plumb::ResponseGroup& group = groups_[prompt];
  group.responses.resize(draws_);
  group.responses[number] = std::move(response);
  if (--left_[prompt] > 0) return;
  group.prompt = prompts_[prompt];
  group.prompt_ids = question.prompt;
  group.responses.resize(static_cast<std::size_t>(sampling_.responses), group.responses.front());
  asking.done(prompt, std::move(group));
}

void Round::end(std::exception_ptr why) {
  over_ = true;
  const std::scoped_lock lock(mutex_);
  if (!failure_) failure_ = std::move(why);
}

}  // namespace remote
