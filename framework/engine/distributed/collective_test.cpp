#include "framework/engine/distributed/collective.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <thread>

#include "framework/engine/distributed/test_ranks.h"

BOOST_AUTO_TEST_SUITE(collective)

using namespace plumb;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(alone_copies) {
  Collective& group = alone();
  BOOST_TEST(group.alone());
  BOOST_TEST(&ranks() == &group);
  const at::Tensor part = at::arange(3, at::kFloat), full = at::empty({3});
  group.gather(full, part)->wait();
  BOOST_TEST(full.equal(part));
  at::Tensor sum;
  add_in_order(group, sum, full, 1);
  add_in_order(group, sum, full, 1);
  BOOST_TEST(sum.equal(part * 2));
  BOOST_TEST(group.gather_texts("a") == std::vector<std::string>{"a"});
}

// What rank r of `world` holds of micro-batch j: drawn, so that the order of a sum shows in its bits.
at::Tensor micro(int j) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(static_cast<std::uint64_t>(j) + 7);
  return at::randn({12}) * (j % 3 == 0 ? 1e4 : 1e-3);
}

BOOST_AUTO_TEST_CASE(ranks_gather_exchange_and_sum_as_one_process_does) {
  test::on_ranks(3, [](Collective& group) {
    const int rank = group.rank(), world = group.world();
    const at::Tensor part = at::full({2}, rank, at::kBFloat16), full = at::empty({6}, at::kBFloat16);
    group.gather(full, part)->wait();
    const at::Tensor received = at::empty({world}, at::kLong);
    group.exchange(received, at::arange(world, at::kLong) + 10 * rank)->wait();
    const at::Tensor told = at::full({3}, rank, at::kDouble);
    group.broadcast(told)->wait();
    for (int r = 0; r < world; ++r) {
      BOOST_TEST(full[2 * r].item<double>() == r);
      BOOST_TEST(received[r].item<std::int64_t>() == 10 * r + rank);
    }
    BOOST_TEST(told.eq(0).all().item<bool>());

    const auto texts = group.gather_texts(std::string(static_cast<std::size_t>(rank), 'x'));
    BOOST_TEST(texts == (std::vector<std::string>{"", "x", "xx"}), boost::test_tools::per_element());
    BOOST_TEST(group.broadcast_text(rank == 0 ? "from 0" : "other") == "from 0");

    // The board keeps the first text.
    BOOST_TEST(!group.posted("word"));
    group.barrier();
    if (rank == 1) group.post("word", "one");
    group.barrier();
    if (rank == 0) group.post("word", "two");
    group.barrier();
    BOOST_TEST(group.posted("word").value_or("none") == "one");
    BOOST_TEST(group.who((rank + 1) % world).starts_with("process "));

    // Seven micro-batches on three ranks: the last round has one.
    at::Tensor sum, wanted;
    for (int first = 0; first < 7; first += world) {
      add_in_order(group, sum, micro(first + rank), std::min(world, 7 - first));
    }
    for (int j = 0; j < 7; ++j) wanted = wanted.defined() ? wanted + micro(j) : micro(j);
    const at::Tensor whole = at::empty({12});
    group.gather(whole, sum)->wait();
    BOOST_TEST(whole.equal(wanted));  // bit by bit
  });
}

// What waiting for rank 1 says, and after how long.
void require_missing(Collective& group, const std::string& wanted, double seconds) {
  const auto start = std::chrono::steady_clock::now();
  std::string said;
  try {
    group.barrier();
  } catch (const RankMissing& error) {
    said = error.what();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  BOOST_TEST(said.find(wanted) != std::string::npos, said);
  BOOST_TEST(took.count() < seconds);
}

BOOST_AUTO_TEST_CASE(a_killed_rank_is_named) {
  const auto statuses = test::run_ranks(2,
                                        [](Collective& group) {
                                          if (group.rank() == 1) std::raise(SIGKILL);
                                          require_missing(group, "rank 1", 20);
                                        },
                                        {.timeout = 60s, .silence = 2s});
  if (statuses.empty()) return;
  BOOST_TEST(statuses[0] == 0);
  BOOST_TEST(WIFSIGNALED(statuses[1]));
}

BOOST_AUTO_TEST_CASE(a_rank_that_never_joins_is_named) {
  Place place;
  place.world = 3;
  place.host = "127.0.0.1";
  place.port = test::free_port();
  place.one_machine = true;
  place.run = "alone";
  const auto start = std::chrono::steady_clock::now();
  std::string said;
  try {
    static_cast<void>(join(place, {.timeout = 1s, .silence = 1s}));
  } catch (const Error& error) {
    said = error.what();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  BOOST_TEST(said.starts_with("rank 0 of 3 waited 1 s for rank 1, rank 2, which did not join: "), said);
  BOOST_TEST(took.count() < 5);
}

BOOST_AUTO_TEST_CASE(a_rank_that_lives_and_does_not_come_is_named) {
  test::on_ranks(2,
                 [](Collective& group) {
                   if (group.rank() == 0) {
                     require_missing(group, "waited 1 s for rank 1 (process ", 10);
                     return group.post("told", "");
                   }
                   while (!group.posted("told")) std::this_thread::sleep_for(20ms);  // until rank 0 has gone
                 },
                 {.timeout = 1s, .silence = 1s});
}

BOOST_AUTO_TEST_SUITE_END()
