#include "probe.h"

#include <plumb/error.h>
#include <algorithm>

#include "answer.h"

namespace remote {
namespace {

std::string text_of(const std::vector<plumb::TokenId>& ids) {
  std::string text;
  for (const plumb::TokenId id : ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return text;
}

}  // namespace

plumb::Response ask(server::Client& client, const Dialect& dialect, const Question& question,
                    const std::string& prompt) {
  plumb::Response response;
  const server::Outcome outcome =
      client.ask({.target = dialect.target(), .body = dialect.body(question)}, [&](const std::string& body) {
        try {
          response = answer_of(dialect.read(body, question), question);
        } catch (const NoAnswer& page) {
          return std::string(page.what());
        }
        return std::string();
      });
  const std::string who = "the server at " + client.place();
  switch (outcome.verdict) {
    case server::Verdict::answered:
      return response;
    case server::Verdict::failed:
      throw plumb::Error(plumb::ErrorCode::data, who + " refuses prompt " + prompt + " of " +
                                                     std::to_string(question.prompt.size()) +
                                                     " tokens: " + outcome.why);
    case server::Verdict::refused:
      throw plumb::Error(plumb::ErrorCode::run_failed, outcome.why);
    case server::Verdict::again:
      break;
  }
  refuse_unanswered(client, outcome.why);
}

void refuse_unanswered(const server::Client& client, const std::string& why) {
  throw plumb::Error(plumb::ErrorCode::run_failed,
                     "the server at " + client.place() + ": " + why +
                         "; the prompts that were answered are kept: start it again and run the same command");
}

Probe::Probe(std::string prompt, std::string folder, Question question, std::vector<plumb::TokenId> expected)
    : prompt_(std::move(prompt)),
      folder_(std::move(folder)),
      question_(std::move(question)),
      expected_(std::move(expected)) {}

void Probe::compare(server::Client& client, const Dialect& dialect) {
  const std::scoped_lock lock(mutex_);
  compare_now(client, dialect);
}

// An answer that was under way may have come from another server than the last comparison's.
void Probe::hold(server::Client& client, const Dialect& dialect) {
  const std::scoped_lock lock(mutex_);
  if (client.outages() != outages_) compare_now(client, dialect);
}

void Probe::compare_now(server::Client& client, const Dialect& dialect) {
  const std::int64_t before = client.outages();
  const std::vector<plumb::TokenId> found = ask(client, dialect, question_, prompt_).ids;
  if (found == expected_) {
    outages_ = before;
    return;
  }
  const auto at = std::mismatch(expected_.begin(), expected_.end(), found.begin(), found.end()).first;
  throw plumb::Error(
      plumb::ErrorCode::run_failed,
      "the server at " + client.place() + " does not serve " + folder_ + ": greedy tokens after prompt " + prompt_ +
          " are " + text_of(found) + " there and " + text_of(expected_) + " here, others from place " +
          std::to_string(at - expected_.begin()) +
          " on. Load that folder into the server and run again; where other numbers (dtype) decide between two equally "
          "probable tokens, another `probe` or 0 leaves them out");
}

}  // namespace remote
