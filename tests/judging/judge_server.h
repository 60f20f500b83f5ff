// A server with OpenAI's chat-completions interface that does what the requests tell it, in a process of its own.
//
//   JudgeServer server(folder, "the key it wants");       // before any thread is started: it forks
//   … ask https://localhost:{server.port(Door::good)}/v1 with the message "item=17 plan=429,reset,ok" …
//   server.board().answered[17] == 1
//
// A plan says what happens to the first, second … request for an item; its last word is for all that follow:
//   ok          an answer whose text is "item 17: [[8]]" (the rating is the item modulo 10, plus 1)
//   429 500 …   that status; 429 asks to wait 30 ms
//   wait        429 that asks for one second by Retry-After;   now: one that asks for none at all
//   interim     100 and 103 before a good answer
//   twice       a good answer and, in the same bytes, another one that nobody asked for
//   usage       a good answer that counts tokens no one has
//   reset stall truncated     the connection is reset, says nothing, or ends in the middle of a good answer
//   html empty filtered       200 with a page, with {}, or without a text
//   vague       an answer without a rating
//   echo        a good answer that repeats the request's key;   echo401: an error that does
//   redirect    302 to the door `plain`
//   faults      one of several by the item and the number of the request, but an answer at the fourth at the latest
// A request without item= counts as item 0, one without plan= gets ok.
// Thread contract: one thread; the board's counters are of any process.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <string>

namespace plumb::test {

// Ports with different certificates. All but `plain` speak TLS.
enum class Door { good, expired, wrong_host, unknown, plain };
constexpr std::size_t doors = 5;
constexpr std::size_t items = 4096;

// In memory that the processes share.
struct Board {
  std::array<std::atomic<int>, doors> ports;
  std::array<std::atomic<unsigned>, doors> connections, requests_at;
  std::array<std::atomic<unsigned>, items> requests, answered;  // answered: a whole, good answer was written
  std::atomic<unsigned> wrong_key, total_answered, at_once, most_at_once;
};

class JudgeServer {
 public:
  // Writes ca.pem, the authority of every door but `unknown`, into the folder.
  JudgeServer(const std::filesystem::path& folder, const std::string& key);
  JudgeServer(const JudgeServer&) = delete;
  JudgeServer& operator=(const JudgeServer&) = delete;
  ~JudgeServer();

  [[nodiscard]] Board& board() const { return *board_; }
  [[nodiscard]] int port(Door door) const { return board_->ports[static_cast<std::size_t>(door)]; }
  // https://localhost:PORT/v1, or http:// for `plain`.
  [[nodiscard]] std::string url(Door door) const;

 private:
  Board* board_;
  pid_t pid_;
};

}  // namespace plumb::test
