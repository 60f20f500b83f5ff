#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "plumb/error.h"
#include "plumb/judge.h"

namespace plumb {
inline namespace v1 {
namespace {

// Runs body(i) for i in [0, count) in `threads` threads; the first exception ends the loop and comes back.
template <class Body>
void for_each_in_threads(std::size_t threads, std::size_t count, const Body& body) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        body(i);
      } catch (...) {
        next = count;
        const std::scoped_lock lock(mutex);
        if (!thrown) thrown = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> pool;
  for (std::size_t i = 1; i < std::min(threads, count); ++i) pool.emplace_back(work);
  work();
  pool.clear();  // joins
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

std::vector<Judgement> judge_all(Judge& judge, std::span<const JudgeRequest> requests, Host& host,
                                 std::string_view what) {
  std::vector<Judgement> judgements(requests.size());
  std::atomic<std::size_t> done{0};
  const auto body = [&](std::size_t i) {
    if (host.cancelled()) return;
    judgements[i] = judge.judge(requests[i]);
    host.progress(what, ++done, requests.size());
  };
  if (const auto* waiting = dynamic_cast<const WaitingJudge*>(&judge); waiting != nullptr) {
    for_each_in_threads(std::max<std::size_t>(waiting->concurrency(), 1), requests.size(), body);
  } else {
    host.parallel_for(requests.size(), body);
  }
  if (host.cancelled()) throw Error(ErrorCode::preempted, "stopped before every answer was judged; run again to go on");
  return judgements;
}

std::vector<Judgement> judge_all(Judge& judge, std::span<const JudgeRequest> requests, Host& host,
                                 std::string_view what, const std::function<void(Judgement&)>& read) {
  std::vector<Judgement> judgements = judge_all(judge, requests, host, what);
  std::vector<JudgeRequest> unread;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    read(judgements[i]);
    if (judgements[i].failure.empty() || judgements[i].text.empty()) continue;
    unread.push_back(requests[i]);
    unread.back().anew = true;
    places.push_back(i);
  }
  if (unread.empty()) return judgements;
  std::vector<Judgement> second = judge_all(judge, unread, host, what);
  for (std::size_t i = 0; i < second.size(); ++i) {
    read(second[i]);
    judgements[places[i]] = std::move(second[i]);
  }
  return judgements;
}

std::size_t accept_failures(std::span<const Judgement> judgements, double tolerated) {
  std::size_t failed = 0;
  const Judgement* first = nullptr;
  for (const Judgement& judgement : judgements) {
    if (judgement.failure.empty()) continue;
    if (first == nullptr) first = &judgement;
    ++failed;
  }
  const auto all = static_cast<double>(judgements.size());
  if (failed > 0 && (failed == judgements.size() || static_cast<double>(failed) > tolerated * all)) {
    throw Error(ErrorCode::run_failed,
                std::to_string(failed) + " of " + std::to_string(judgements.size()) +
                    " judgements failed; the first: " + first->failure +
                    ". Run again to ask for what is missing, or let `tolerated_failures` be more");
  }
  return failed;
}

}  // namespace v1
}  // namespace plumb
