// Messages over a socket between the framework and an isolated component.
//
//   FrameSocket socket(fd);
//   socket.send(FrameKind::call, 7, payload, [&] { return over; });
//   if (!socket.read()) …                                    // the other end is gone
//   while (auto frame = socket.next()) …
//
// Thread contract: send is [any]; read and next belong to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace plumb {

enum class FrameKind : std::uint32_t {
  // to the component
  make,      // load the plugin and make the component
  examine,   // load the plugin and run a component's parameter rules
  call,      // one of its methods
  end,       // destroy it
  cancel,    // the run is to stop: Host::cancelled
  answer,    // of an ask
  refusal,   // of an ask: the framework failed
  streamed,  // a part of an ask's answer
  // to the framework
  result,    // of make, examine, call or end
  thrown,    // by make, examine, call or end
  ask,       // for something that the framework does
  log,       // Host::log
  progress,  // Host::progress
};

// What is called or asked for; the first field of the payload of `call` and `ask`.
enum class Operation : std::uint32_t {
  // of the component
  judge,
  select,
  threshold,
  evaluate,
  // of the framework
  scratch_folder,
  has_models,
  open_policy,
  open_reward,
  close,
  generate,
  score,
  excess,
  answer,
  reward,
  context_judge,
};

struct Frame {
  FrameKind kind;
  std::uint64_t id;  // of the call or the ask that it belongs to
  std::string payload;
};

class FrameSocket {
 public:
  explicit FrameSocket(int fd);  // takes it over and makes it non-blocking
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;
  ~FrameSocket();

  // Waits while the other end does not read, until `given_up`, which is asked ten times a second. False when it was not
  // sent; the socket is of no use then.
  bool send(FrameKind kind, std::uint64_t id, const std::string& payload, const std::function<bool()>& given_up);
  // Takes in what has arrived, without waiting; false when nothing more will.
  bool read();
  // The next whole frame that was read. Throws Error(plugin) when the bytes are no frames.
  std::optional<Frame> next();
  [[nodiscard]] int descriptor() const { return fd_; }

 private:
  bool send_bytes(const char* bytes, std::size_t size, const std::function<bool()>& given_up);

  int fd_;
  std::mutex sending_;
  std::string arrived_;
  std::size_t taken_ = 0;  // of arrived_
};

}  // namespace plumb
