// Judges: a score, a preference, a text or a failure for each request.
#include <cmath>
#include <thread>

#include "plumb/judge.h"
#include "sdk/check/context.h"
#include "sdk/check/fixtures.h"

namespace plumb::check {
namespace {

std::vector<JudgeRequest> requests() {
  std::vector<JudgeRequest> out;
  for (const ResponseGroup& group : some_groups()) {
    for (std::size_t i = 0; i < 2; ++i) {
      JudgeRequest request{
          "sft/" + group.prompt.id + "/" + std::to_string(i), group.prompt, group.responses[i].text, {}, {}, {}, 0};
      request.messages = {{"user", "Rate this answer from 1 to 10: " + request.answer}};
      out.push_back(request);
      request.id += "/pair";
      request.other = group.responses[1 - i].text;
      request.reference = "Plum";
      out.push_back(request);
    }
  }
  return out;
}

std::string text(const std::optional<double>& number) {
  return number ? exact(*number) : "-";
}

std::string text(const Judgement& judgement) {
  return text(judgement.score) + " " + text(judgement.preference) + " " + judgement.text + " " + judgement.failure;
}

std::string use(Context&, Component& component) {
  std::string out;
  for (const JudgeRequest& request : requests()) out += text(static_cast<Judge&>(component).judge(request)) + "\n";
  return out;
}

void answers(Context& c) {
  Made made = c.make();
  for (const JudgeRequest& request : requests()) {
    const Judgement judgement = made.as<Judge>().judge(request);
    const bool judged = judgement.score || judgement.preference || !judgement.text.empty();
    require(judged || !judgement.failure.empty(),
            "request " + request.id + ": neither a judgement nor the reason why there is none");
  }
}

void ranges(Context& c) {
  Made made = c.make();
  for (const JudgeRequest& request : requests()) {
    const Judgement judgement = made.as<Judge>().judge(request);
    require(!judgement.score || std::isfinite(*judgement.score), "request " + request.id + ": the score is not finite");
    require(!judgement.preference || (*judgement.preference >= 0 && *judgement.preference <= 1),
            "request " + request.id + ": preference " + text(judgement.preference) + " is not between 0 and 1");
  }
}

void failures(Context& c) {
  Made made = c.make();
  const std::vector<std::string> odd{"", std::string(1, '\0'), "\xff\xfe", std::string(100000, 'x')};
  for (const std::string& answer : odd) {
    JudgeRequest request = requests().front();
    request.answer = answer;
    const std::string what = "an answer of " + std::to_string(answer.size()) + " bytes";
    try {
      static_cast<void>(made.as<Judge>().judge(request));
      request.id.clear();
      request.other = answer;
      static_cast<void>(made.as<Judge>().judge(request));
    } catch (...) {
      throw Failure{what + ": " + caught() + "; wanted Judgement::failure"};
    }
  }
}

void concurrent(Context& c) {
  Made made = c.make();
  auto& judge = made.as<Judge>();
  const auto asked = requests();
  std::vector<std::string> wanted;
  for (const JudgeRequest& request : asked) wanted.push_back(text(judge.judge(request)));
  std::vector<std::string> problems(4);
  std::vector<std::thread> threads;
  for (std::string& problem : problems) {
    threads.emplace_back([&] {
      try {
        for (int round = 0; round < 50; ++round) {
          for (std::size_t i = 0; i < asked.size(); ++i) {
            if (text(judge.judge(asked[i])) != wanted[i]) problem = "several threads at once get other judgements";
          }
        }
      } catch (...) {
        problem = caught();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) require(problem.empty(), problem);
}

}  // namespace

Kind judge_kind() {
  return {Judge::kind,
          "judge",
          use,
          nullptr,
          {
              {"judge.answers", "each request has a judgement or the reason why there is none", answers},
              {"judge.ranges", "scores are finite, preferences between 0 and 1", ranges},
              {"judge.failures", "odd answers are judged or refused in Judgement::failure, not thrown", failures},
              {"judge.concurrent", "several threads may ask at once", concurrent},
          }};
}

}  // namespace plumb::check
