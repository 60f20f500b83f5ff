#include "framework/core/components/made.h"

#include <boost/test/unit_test.hpp>

#include "framework/cancelled.h"
#include "plumb/error.h"
#include "plumb/judge.h"

using namespace plumb;

namespace {

// Fails as the request's id says.
class Failing final : public WaitingJudge {
 public:
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override {
    if (request.id == "cancelled") throw Cancelled{};
    if (request.id == "number") throw 7;
    if (request.id == "foreign") throw std::out_of_range("row 3");
    if (request.id == "memory") throw std::bad_alloc();
    if (request.id == "error") throw Error(ErrorCode::data, "gold.jsonl: no such file");
    if (request.id == "nested") throw Error(ErrorCode::run_failed, "stage `eval`: model llama2: no weights");
    Judgement judgement;
    judgement.score = 0.5;
    return judgement;
  }
  [[nodiscard]] std::size_t concurrency() const override { return 4; }
};

class Plain final : public Judge {
 public:
  [[nodiscard]] Judgement judge(const JudgeRequest&) override { return {}; }
};

JudgeRequest request(const std::string& id) {
  JudgeRequest out;
  out.id = id;
  return out;
}

std::string error_of(const Made<Judge>& judge, const std::string& id, ErrorCode code) {
  try {
    static_cast<void>(judge.call(&Judge::judge, request(id)));
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.what();
  }
  return "no error";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(made_components)

BOOST_AUTO_TEST_CASE(a_call_is_the_method) {
  const Made<Judge> judge(std::make_shared<Failing>(), "judge gold", "eval");
  BOOST_TEST(*judge.call(&Judge::judge, request("good")).score == 0.5);
  BOOST_TEST(judge.bare().use_count() == 2);  // its own and this one
}

BOOST_AUTO_TEST_CASE(what_it_throws_is_named) {
  const Made<Judge> judge(std::make_shared<Failing>(), "judge gold", "eval");
  const std::string who = "stage `eval`: judge gold: ";
  BOOST_TEST(error_of(judge, "foreign", ErrorCode::plugin) == who + "threw std::out_of_range: row 3");
  BOOST_TEST(error_of(judge, "number", ErrorCode::plugin) == who + "threw something that is no std::exception");
  BOOST_TEST(error_of(judge, "memory", ErrorCode::run_failed) == who + "out of memory");
  BOOST_TEST(error_of(judge, "error", ErrorCode::data) == who + "gold.jsonl: no such file");
  const Made<Judge> alone(std::make_shared<Failing>(), "judge gold", "");
  BOOST_TEST(error_of(alone, "error", ErrorCode::data) == "judge gold: gold.jsonl: no such file");
}

BOOST_AUTO_TEST_CASE(a_stage_is_named_once) {
  const Made<Judge> judge(std::make_shared<Failing>(), "judge gold", "eval");
  BOOST_TEST(error_of(judge, "nested", ErrorCode::run_failed) == "stage `eval`: judge gold: model llama2: no weights");
}

BOOST_AUTO_TEST_CASE(a_stop_is_no_failure) {
  const Made<Judge> judge(std::make_shared<Failing>(), "judge gold", "eval");
  BOOST_CHECK_THROW(static_cast<void>(judge.call(&Judge::judge, request("cancelled"))), Cancelled);
}

BOOST_AUTO_TEST_CASE(by_its_class) {
  const Made<Judge> waiting(std::make_shared<Failing>(), "judge gold", "eval");
  BOOST_TEST(waiting.as<WaitingJudge>().call(&WaitingJudge::concurrency) == 4U);
  BOOST_TEST(waiting.as<WaitingJudge>().name() == "judge gold");
  BOOST_TEST(!Made<Judge>(std::make_shared<Plain>(), "judge plain", "eval").as<WaitingJudge>());
  BOOST_TEST(!Made<Judge>());
}

BOOST_AUTO_TEST_SUITE_END()
