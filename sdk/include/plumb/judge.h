// A judge rates one answer or compares two.
//
// A language-model judge answers `messages` with text that the evaluator parses; a programmatic judge (gold, reward
// model) sets `score` itself from the conversation and the answers.
//
//   std::vector<plumb::Judgement> judgements = plumb::judge_all(*context.judge(), requests, host);
//
// Thread contract: judge is [any], so that slow judges can be asked in parallel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

struct JudgeRequest {
  std::string id;                        // unique within the evaluation; the cache and the replay key on it
  Prompt prompt;                         // what was asked (for a second turn: with the first answer in place)
  std::string answer;                    // rated, or the first of two
  std::optional<std::string> other;      // the second of two
  std::optional<std::string> reference;  // a reference answer
  Conversation messages;                 // the rendered judge prompt, for language-model judges
  double temperature = 0;
  bool anew = false;  // what the judge kept from an earlier run could not be read: ask again, and keep that instead
};

struct Judgement {
  std::optional<double> score;       // of `answer`, in the judge's own scale
  std::optional<double> preference;  // of two: 1 when `answer` wins, 0 when `other` wins, 0.5 a tie
  std::string text;                  // what a language-model judge said
  std::string failure;               // why there is no judgement; empty when there is one
  std::int64_t prompt_tokens = 0, completion_tokens = 0;  // what a language-model judge counted for it
};

class Judge : public Component {
 public:
  static constexpr const char* kind = "judge/1";
  ~Judge() override;

  // [any] A failure of the judge is returned in Judgement::failure, counted and shown; it is not thrown. Thrown is what
  // no other request would survive either, such as a key that the server refuses.
  [[nodiscard]] virtual Judgement judge(const JudgeRequest& request) = 0;
};

// A judge that spends its time waiting for somebody else, such as a server.
class WaitingJudge : public Judge {
 public:
  ~WaitingJudge() override;
  [[nodiscard]] virtual std::size_t concurrency() const = 0;  // [any] requests it takes at once
};

// The judgements of all requests, in their order: on the host's pool, or by as many threads as a WaitingJudge takes
// requests at once. What judge throws comes back after the requests under way. Throws Error(preempted) when the host is
// cancelled before all are judged. `what` names the work on the progress line. Call it from one thread: [lane].
std::vector<Judgement> judge_all(Judge& judge, std::span<const JudgeRequest> requests, Host& host,
                                 std::string_view what = "judgements");

// The same for a judge that answers in words: `read` takes the score or the preference out of a text, or says in
// `failure` why it cannot. An answer that cannot be read may have been kept from an earlier run; its request is sent
// once more, marked `anew`.
std::vector<Judgement> judge_all(Judge& judge, std::span<const JudgeRequest> requests, Host& host,
                                 std::string_view what, const std::function<void(Judgement&)>& read);

// How many of these judgements failed. Throws Error(run_failed) naming the first failure when they are more than
// `tolerated`, a fraction, or all of them: a mean over the rest would mislead.
std::size_t accept_failures(std::span<const Judgement> judgements, double tolerated);

}  // namespace v1
}  // namespace plumb
