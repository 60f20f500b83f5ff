// Whether a server serves the model that it should: the greedy tokens after one prompt, there and here. It catches a
// server that was left with the weights of the round before.
//
//   Probe probe(prompt.id, folder, question, expected_ids);
//   probe.compare(client, dialect);            // before a round: Error(run_failed) when they differ
//   probe.hold(client, dialect);               // before an answer is taken: compares again after an outage
//
// Thread contract: compare and hold are [any].
#pragma once

#include <plumb/records.h>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "client.h"
#include "dialect.h"

namespace remote {

// Asks until an answer comes. Error(data) for a prompt that the server refuses, Error(run_failed) when it answers none.
plumb::Response ask(server::Client& client, const Dialect& dialect, const Question& question,
                    const std::string& prompt);

// Error(run_failed): the server is not there.
[[noreturn]] void refuse_unanswered(const server::Client& client, const std::string& why);

class Probe {
 public:
  Probe(std::string prompt, std::string folder, Question question, std::vector<plumb::TokenId> expected);

  void compare(server::Client& client, const Dialect& dialect);
  void hold(server::Client& client, const Dialect& dialect);

 private:
  void compare_now(server::Client& client, const Dialect& dialect);  // with mutex_ held

  std::string prompt_, folder_;
  Question question_;
  std::vector<plumb::TokenId> expected_;
  std::mutex mutex_;
  std::int64_t outages_ = 0;  // of the client before the last comparison
};

}  // namespace remote
