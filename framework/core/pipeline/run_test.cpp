#include "framework/core/pipeline/run.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/pipeline/test_recipe.h"
#include "framework/core/pipeline/test_runner.h"
#include "framework/core/report/report.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::Folder;
using test::TestRecipe;

// numbers -> total: one writes 1 … n, the other their sum.
struct Sums {
  Sums() : recipe("sums") {
    recipe.add("numbers", "count", Value::map({{"n", 4}}));
    recipe.add("total", "sum", Value::map({{"of", Value::list({"numbers"})}}), {{"of/numbers", "numbers"}});
  }

  RunResult run(const std::vector<std::string>& until = {}) {
    return run_recipe(recipe.get(), recipe.text, recipe.registry,
                      {.runs = folder.path(), .until = until, .form = Progress::Form::quiet, .runner = &runner});
  }

  [[nodiscard]] Value run_json() const { return parse_json(read_file(folder / "sums" / "run.json").value()); }
  [[nodiscard]] std::string status(std::size_t stage) const {
    return run_json().at("stages").as_list().at(stage).at("status").as_string();
  }

  Folder folder;
  TestRecipe recipe;
  int counted = 0, summed = 0;
  StageBody count = [this](StageContext& context) {
    ++counted;
    RowWriter rows(context.folder() / "rows.jsonl");
    for (std::int64_t i = 1; i <= context.params().at("n").as_int(); ++i) rows.write(Value::map({{"n", i}}));
    rows.flush();
    context.summarise("rows", context.params().at("n"));
  };
  StageBody sum = [this](StageContext& context) {
    ++summed;
    std::int64_t total = 0;
    for (const auto& [name, artifact] : context.inputs("of")) {
      for_each_row(artifact->folder / "rows.jsonl", [&](const Value& row, const std::string&) -> Result<void> {
        total += row.at("n").as_int();
        return {};
      }).value();
    }
    write_file(context.folder() / "sum", std::to_string(total)).value();
  };
  test::FakeRunner runner{
      [this](const std::string& kind, StageContext& context) { kind == "count" ? count(context) : sum(context); }};
};

std::string message_of(const std::function<void()>& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& error) {
    BOOST_CHECK(error.code() == code);
    return error.what();
  }
  BOOST_FAIL("nothing was thrown");
  return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(run)

// A Llama of 400,000 layers, 294 TiB in float32; no machine has them. On a GPU they are not this machine's.
BOOST_AUTO_TEST_CASE(a_stage_that_needs_more_memory_than_there_is_is_named_before_it_runs) {
  for (const bool gpu : {false, true}) {
    const Folder folder;
    TestRecipe recipe("large");
    Value config = test::llama_2_7b;
    config.set("num_hidden_layers", 400000);
    recipe.add("rows", "dataset", Value::map());
    recipe.add("llama", "model", Value::map({{"config", config}, {"path", Value()}}), {}, "model");
    recipe.add("sft", "sft", Value::map({{"learning_rate", 1e-5}, {"device", gpu ? "cuda" : "cpu"}}),
               {{"model", "llama"}, {"data", "rows"}}, "model");
    test::FakeRunner runner{
        [](const std::string&, StageContext& context) { write_file(context.folder() / "out", "").value(); }};
    run_recipe(recipe.get(), recipe.text, recipe.registry,
               {.runs = folder.path(), .form = Progress::Form::quiet, .runner = &runner});
    const std::string log = read_file(folder / "large" / "log.txt").value();
    const auto warned = log.find("warning: stage `sft` is estimated at ");
    BOOST_TEST((warned != std::string::npos) == !gpu, log);
    BOOST_TEST((gpu || warned < log.find("[1/3] rows: started")), log);
    BOOST_TEST(log.find("stage `rows` is estimated") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(stages_run_once_and_their_artifacts_are_linked) {
  Sums sums;
  const RunResult first = sums.run();
  BOOST_TEST(first.ran == 2U);
  BOOST_TEST(first.cached == 0U);
  BOOST_TEST(read_file(sums.folder / "sums/total/sum").value() == "10");
  BOOST_TEST(fs::is_symlink(sums.folder / "sums/total"));
  BOOST_TEST(read_manifest(sums.folder / "sums/numbers").value().summary.at("rows").as_int() == 4);
  BOOST_TEST(read_manifest(sums.folder / "sums/numbers").value().peak_bytes > 1000000U);

  const RunResult second = sums.run();
  BOOST_TEST(second.ran == 0U);
  BOOST_TEST(second.cached == 2U);
  BOOST_TEST(sums.counted == 1);
  BOOST_TEST(sums.summed == 1);
  BOOST_TEST(sums.status(0) == "cached");

  sums.recipe.get().stages[1].params.set("note", "another way to add");
  BOOST_TEST(sums.run().ran == 1U);
  BOOST_TEST(sums.counted == 1);
  BOOST_TEST(sums.summed == 2);
  // A runner is handed what must run, in its order, and nothing else.
  const std::vector<std::string> handed{"numbers", "total", "total"};
  BOOST_TEST(sums.runner.stages == handed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_record_holds_recipe_lock_and_what_was_done) {
  Sums sums;
  sums.run();
  BOOST_TEST(read_file(sums.folder / "sums/recipe.yaml").value() == sums.recipe.text);
  BOOST_TEST(read_file(sums.folder / "sums/recipe.resolved.yaml").value().find("seed: 5") != std::string::npos);
  const Value run = sums.run_json();
  const ArtifactManifest numbers = read_manifest(sums.folder / "sums/numbers").value();
  BOOST_TEST(run.at("status").as_string() == "finished");
  BOOST_TEST(run.at("stages").as_list().at(0).at("key").as_string() == numbers.key);
  BOOST_TEST(run.at("stages").as_list().at(0).at("status").as_string() == "done");
  BOOST_TEST(run.at("stages").as_list().at(1).at("seconds").as_double() >= 0.0);
  BOOST_TEST(read_file(sums.folder / "sums/recipe.lock.yaml").value().find(numbers.key) != std::string::npos);
  BOOST_TEST(read_file(sums.folder / "sums/log.txt").value().find("[2/2] total: started") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_failure_names_its_stage_keeps_the_rest_and_is_taken_up) {
  Sums sums;
  const StageBody works = sums.sum;
  sums.sum = [](StageContext& context) {
    std::ofstream(context.work_folder() / "half") << "done";
    throw std::runtime_error("numbers too large\nframe 0: 0x1234");
  };
  BOOST_TEST(message_of([&] { sums.run(); }, ErrorCode::run_failed) == "stage `total`: numbers too large");
  BOOST_TEST(sums.status(0) == "done");
  BOOST_TEST(sums.status(1) == "failed");
  BOOST_TEST(sums.run_json().at("status").as_string() == "failed");
  BOOST_TEST(sums.run_json().at("error").as_string() == "stage `total`: numbers too large");

  sums.sum = [&](StageContext& context) {
    BOOST_TEST(read_file(context.work_folder() / "half").value() == "done");
    works(context);
  };
  BOOST_TEST(sums.run().ran == 1U);
  BOOST_TEST(sums.counted == 1);
  BOOST_TEST(!sums.run_json().find("error"));
}

BOOST_AUTO_TEST_CASE(errors_keep_their_code) {
  Sums sums;
  sums.count = [](StageContext&) { throw Error(ErrorCode::data, "rows.jsonl:3:1: torn"); };
  BOOST_TEST(message_of([&] { sums.run(); }, ErrorCode::data) == "stage `numbers`: rows.jsonl:3:1: torn");
  sums.count = [](StageContext&) { throw Error(ErrorCode::plugin, "stage `numbers`: data-source x: threw"); };
  BOOST_TEST(message_of([&] { sums.run(); }, ErrorCode::plugin) == "stage `numbers`: data-source x: threw");
  sums.count = [](StageContext&) { fs::create_directory("/nonexistent/folder"); };
  BOOST_TEST(message_of([&] { sums.run(); }, ErrorCode::data) ==
             "stage `numbers`: cannot use /nonexistent/folder: No such file or directory");
  sums.count = [](StageContext&) { throw std::bad_alloc(); };
  BOOST_TEST(message_of([&] { sums.run(); }, ErrorCode::run_failed).starts_with("stage `numbers`: out of memory"));
}

BOOST_AUTO_TEST_CASE(until_leaves_out_what_is_not_asked_for) {
  Sums sums;
  BOOST_TEST(sums.run({"numbers"}).ran == 1U);
  BOOST_TEST(sums.status(1) == "unneeded");
  BOOST_TEST(!fs::exists(sums.folder / "sums/total"));
  BOOST_TEST(message_of([&] { sums.run({"nmbers"}); }, ErrorCode::recipe).find("numbers") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_cached_target_was_made_from_is_part_of_the_run_where_it_is_there) {
  Sums sums;
  sums.run();
  fs::remove_all(sums.folder / "sums");
  BOOST_TEST(sums.run({"total"}).ran == 0U);
  BOOST_TEST(sums.status(0) == "cached");
  BOOST_TEST(fs::exists(sums.folder / "sums/numbers"));

  fs::remove_all(fs::canonical(sums.folder / "sums/numbers"));
  BOOST_TEST(sums.run({"total"}).ran == 0U);
  BOOST_TEST(sums.status(0) == "unneeded");
  BOOST_TEST(sums.status(1) == "cached");
}

BOOST_AUTO_TEST_CASE(a_stage_sees_its_parameters_inputs_and_services) {
  Sums sums;
  std::string scratch;
  sums.sum = [&](StageContext& context) {
    BOOST_TEST(context.name() == "total");
    BOOST_TEST(context.seed() == 5U);
    BOOST_TEST(context.random().key() == Random(5).key());
    BOOST_TEST(context.recipe_folder() == "/recipes");
    BOOST_TEST(context.inputs("of").at(0).first == "numbers");
    BOOST_TEST(context.optional_input("model") == nullptr);
    BOOST_CHECK_THROW(static_cast<void>(context.input("model")), Error);
    BOOST_TEST(context.query("no-such-service/1") == nullptr);
    BOOST_TEST(!context.cancelled());
    scratch = context.scratch_folder();
    BOOST_TEST(context.scratch_folder() != scratch);
    std::ofstream(fs::path(scratch) / "x") << "temporary";
    context.metrics(1, {{"loss", 0.5}});
    context.rewind_metrics(0);
    context.metrics(1, {{"loss", 0.25}});
    BOOST_TEST(read_file(sums.folder / "sums/total/metrics.jsonl").value() == "{\"step\":1,\"loss\":0.25}\n");
    BOOST_TEST(sums.status(1) == "running");
  };
  sums.run();
  BOOST_TEST(!fs::exists(scratch));
  BOOST_TEST(read_file(sums.folder / "sums/total/metrics.jsonl").value() == "{\"step\":1,\"loss\":0.25}\n");
}

BOOST_AUTO_TEST_CASE(parallel_loops_run_everything_once_and_pass_exceptions_on) {
  Sums sums;
  std::vector<std::atomic<int>> runs(1000);
  sums.sum = [&](StageContext& context) {
    context.parallel_for(runs.size(), [&](std::size_t i) { ++runs[i]; });
    context.parallel_for(0, [](std::size_t) { BOOST_FAIL("nothing to do"); });
    context.parallel_for(100, [](std::size_t i) {
      if (i == 42) throw Error(ErrorCode::data, "row 42");
    });
  };
  BOOST_TEST(message_of([&] { sums.run(); }, ErrorCode::data) == "stage `total`: row 42");
  BOOST_TEST(std::all_of(runs.begin(), runs.end(), [](const auto& n) { return n == 1; }));
}

BOOST_AUTO_TEST_CASE(a_damaged_artifact_is_set_aside_and_made_again) {
  Sums sums;
  sums.run();
  const fs::path damaged = fs::canonical(sums.folder / "sums/numbers");
  const std::string whole = read_file(damaged / "rows.jsonl").value();
  std::string flipped = whole;
  flipped[5] ^= 1;
  for (const std::string& content : {std::string("{"), flipped}) {
    std::ofstream(damaged / "rows.jsonl") << content;
    BOOST_TEST(sums.run().ran == 1U);
    BOOST_TEST(read_file(damaged / "rows.jsonl").value() == whole);
    BOOST_TEST(read_file(damaged.string() + ".damaged/rows.jsonl").value() == content);
    BOOST_TEST(read_file(sums.folder / "sums/log.txt").value().find("warning: numbers: " + damaged.string()) !=
               std::string::npos);
  }
  BOOST_TEST(sums.counted == 3);
  BOOST_TEST(sums.summed == 1);  // what was made of it stands: the same content has come back
}

// The stage's line is in the log file as on the terminal, and a report of what was made from it follows it to there.
BOOST_AUTO_TEST_CASE(rows_that_are_not_passed_on_stand_on_the_stages_line_and_reach_reports) {
  Sums sums;
  const StageBody plain = sums.count;
  sums.count = [&](StageContext& context) {
    plain(context);
    RowAccount account;
    account.add({.count = 3, .of = 7, .reason = "no answer", .cure = "for preferences set records: preferences"});
    context.account(account);
  };
  sums.run();
  const std::string log = read_file(sums.folder / "sums" / "log.txt").value();
  BOOST_TEST(log.find("rows 4; left out 3 of 7 rows: no answer; for preferences set records: preferences\n") !=
                 std::string::npos,
             log);
  const fs::path total = fs::canonical(sums.folder / "sums" / "total");
  const Artifact artifact{total, read_manifest(total).value()};
  const auto made_from = ancestors({{"total", &artifact}});
  BOOST_REQUIRE(made_from.size() == 1U);
  BOOST_TEST(made_from[0].stage == "numbers");
  BOOST_TEST(RowAccount::of_summary(made_from[0].summary).count("no answer") == 3);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
