#include "framework/core/isolation/frames.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "plumb/error.h"

using namespace plumb;

namespace {

struct Pair {
  Pair() { BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0); }
  std::array<int, 2> ends{};
};

std::vector<Frame> read_all(FrameSocket& socket, std::size_t count) {
  std::vector<Frame> out;
  while (out.size() < count) {
    pollfd wait{socket.descriptor(), POLLIN, 0};
    ::poll(&wait, 1, 1000);
    const bool open = socket.read();
    while (auto frame = socket.next()) out.push_back(std::move(*frame));
    if (!open) break;
  }
  return out;
}

bool never() {
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(frames)

BOOST_AUTO_TEST_CASE(frames_of_every_size_arrive_whole_and_in_order_from_several_threads) {
  const Pair pair;
  FrameSocket here(pair.ends[0]), there(pair.ends[1]);
  const std::vector<std::size_t> sizes{0, 1, 4095, 4096, 4097, 65512, 65536, 1 << 20, 5 << 20, 3};
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 3; ++sender) {
    senders.emplace_back([&, sender] {
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        here.send(FrameKind::log, static_cast<std::uint64_t>(sender) * 100 + i,
                  std::string(sizes[i], static_cast<char>('a' + sender)), never);
      }
    });
  }
  const auto frames = read_all(there, 30);
  for (std::thread& sender : senders) sender.join();
  BOOST_REQUIRE(frames.size() == 30U);
  std::array<std::size_t, 3> next{};
  for (const Frame& frame : frames) {
    const std::size_t sender = frame.id / 100;
    BOOST_TEST(frame.id % 100 == next[sender]);
    BOOST_TEST((frame.payload == std::string(sizes[next[sender]++], static_cast<char>('a' + sender))));
  }
}

BOOST_AUTO_TEST_CASE(the_other_ends_end_is_noticed_after_what_it_sent) {
  const Pair pair;
  FrameSocket here(pair.ends[0]);
  {
    FrameSocket there(pair.ends[1]);
    BOOST_TEST(there.send(FrameKind::result, 5, "last", never));
  }
  static_cast<void>(here.read());
  BOOST_TEST(here.next()->payload == "last");
  BOOST_TEST(!here.read());
  BOOST_TEST(!here.send(FrameKind::call, 6, "nobody is there", never));  // and SIGPIPE ends nothing
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_is_given_up) {
  const Pair pair;
  FrameSocket here(pair.ends[0]);
  int asked = 0;
  BOOST_TEST(!here.send(FrameKind::call, 1, std::string(64 << 20, 'x'), [&] { return ++asked > 2; }));
  BOOST_TEST(asked == 3);
  ::close(pair.ends[1]);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_frame_are_refused) {
  const Pair pair;
  FrameSocket here(pair.ends[0]);
  BOOST_REQUIRE(::write(pair.ends[1], "Loading weights: 100 %\n and more", 32) == 32);
  static_cast<void>(here.read());
  BOOST_CHECK_THROW(here.next(), Error);
  ::close(pair.ends[1]);
}

BOOST_AUTO_TEST_SUITE_END()
