// What the real command takes from its cache and what it makes again: nothing twice, everything that depends on a
// change, nothing that is not what was made.
#include <boost/test/unit_test.hpp>

#include "tests/faults/command.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::Command;
using test::Outcome;
using test::Process;
using Names = std::vector<std::string>;

const fs::path kSmoke = fs::path(PLUMB_SOURCE_DIR) / "recipes/lab/smoke.yaml";

Outcome successful(Outcome outcome) {
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.status << ": " << outcome.errors << outcome.output);
  return outcome;
}

void check_made(const Outcome& outcome, const Names& wanted) {
  const Names made = outcome.made();
  BOOST_TEST(made == wanted, boost::test_tools::per_element());
}

// Run, statuses and links of a run that has ended well.
void check_record(const Command& plumb, const std::string& run) {
  const Value record = parse_json(read_file(plumb.runs() / run / "run.json").value());
  BOOST_TEST(record.at("status").as_string() == "finished");
  for (const Value& stage : record.at("stages").as_list()) {
    BOOST_TEST_CONTEXT(stage.at("stage").as_string()) {
      const std::string status = stage.at("status").as_string();
      BOOST_TEST((status == "done" || status == "cached"), status);
      BOOST_TEST(!test::files_of(plumb.stage(stage.at("stage").as_string())).empty());
    }
  }
}

// Every run of spaces and line breaks as one space: reasons go on below themselves.
std::string unwrapped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    if (!space || out.empty() || out.back() != ' ') out += space ? ' ' : c;
  }
  return out;
}

void flip_a_byte(const fs::path& file) {
  const auto before = fs::last_write_time(file);
  std::string content = read_file(file).value();
  content[content.size() / 2] ^= 1;
  std::ofstream(file, std::ios::binary) << content;
  fs::last_write_time(file, before);  // as when the disk did it
}

}  // namespace

BOOST_AUTO_TEST_SUITE(caching, *boost::unit_test::fixture<test::InMemory>())

BOOST_AUTO_TEST_CASE(what_was_made_is_made_again_only_when_it_has_to) {
  const Command plumb(kSmoke);
  BOOST_TEST(successful(plumb.run()).made().size() == 17U);
  check_made(successful(plumb.run()), {});
  check_record(plumb, "smoke");

  // A parameter: its stage and what depends on it, and the plan says why.
  const Names eta{"--set", "stages.pairs.policy.eta=0.9"};
  const std::string laid_out = successful(plumb.call("plan", eta)).output, plan = unwrapped(laid_out);
  for (std::size_t at = 0; at < laid_out.size();) {
    const std::size_t end = laid_out.find('\n', at);
    BOOST_TEST(end - at <= 120U, laid_out.substr(at, end - at));
    at = end + 1;
  }
  BOOST_TEST(plan.find("stages.pairs.policy.eta 0.6 -> 0.9") != std::string::npos, plan);
  for (const char* input : {"input pairs changed", "input aligned changed", "input gold changed"}) {
    BOOST_TEST(plan.find(input) != std::string::npos, plan);
  }
  check_made(successful(plumb.run(eta)), {"pairs", "aligned", "gold", "report"});
  check_made(successful(plumb.run()), {});
  check_made(successful(plumb.run(eta)), {});

  // Damage: noticed, said, made again to the same bytes; what was made of it stands.
  const std::string model = test::files_of(plumb.stage("sft")), pairs = test::files_of(plumb.stage("pairs"));
  flip_a_byte(plumb.stage("sft") / "model.safetensors");
  const std::string damaged = unwrapped(successful(plumb.call("plan", eta)).output);
  BOOST_TEST(damaged.find("the content of file model.safetensors has changed") != std::string::npos, damaged);
  const Outcome again = successful(plumb.run(eta));
  check_made(again, {"sft"});
  BOOST_TEST(again.says("warning: sft: "), again.errors);
  BOOST_TEST(test::files_of(plumb.stage("sft")) == model);
  fs::remove(plumb.stage("pairs") / "pairs.jsonl");
  flip_a_byte(plumb.stage("rewards") / "artifact.json");
  check_made(successful(plumb.run(eta)), {"rewards", "pairs"});
  BOOST_TEST(test::files_of(plumb.stage("pairs")) == pairs);
  check_made(successful(plumb.run(eta)), {});
}

BOOST_AUTO_TEST_CASE(a_changed_file_reruns_what_depends_on_it) {
  const test::Folder folder;
  const auto write_rows = [&](const std::string& name, const std::string& answer) {
    std::ofstream out(folder / name);
    for (int i = 0; i < 4; ++i) {
      out << fmt::format(R"({{"id":"{}","prompt":"Say {}.","completion":"{} {}"}})", i, i, answer, i) << "\n";
    }
  };
  write_rows("one.jsonl", "yes");
  write_rows("two.jsonl", "no");
  std::ofstream(folder / "files.yaml") << R"(name: files
datasets:
  one: {source: {name: jsonl, path: one.jsonl, records: demonstrations}}
  two: {source: {name: jsonl, path: two.jsonl, records: demonstrations}}
stages:
  first: {stage: tokenizer, data: one, vocabulary_size: 300}
  second: {stage: tokenizer, data: two, vocabulary_size: 300}
)";
  const Command plumb(folder / "files.yaml");
  BOOST_TEST(successful(plumb.run()).made().size() == 4U);
  const auto time = fs::last_write_time(folder / "two.jsonl");
  write_rows("two.jsonl", "on");  // as long as before, and as old
  fs::last_write_time(folder / "two.jsonl", time);
  const std::string plan = unwrapped(successful(plumb.call("plan")).output);
  BOOST_TEST(plan.find("what datasets.two.source.path names changed") != std::string::npos, plan);
  check_made(successful(plumb.run()), {"two", "second"});
  check_made(successful(plumb.run()), {});
  write_rows("two.jsonl", "no");  // and back: both versions are kept
  check_made(successful(plumb.run()), {});
}

BOOST_AUTO_TEST_CASE(two_runs_at_once_share_the_work_and_spoil_nothing) {
  const Command alone(kSmoke), both(kSmoke);
  successful(alone.run());
  Process first = both.start("run", {"--json"}, {}, "-1"), second = both.start("run", {"--json"}, {}, "-2");
  const Outcome one = successful(both.wait(first, "-1")), other = successful(both.wait(second, "-2"));
  Names made = one.made(), rest = other.made();
  made.insert(made.end(), rest.begin(), rest.end());
  std::sort(made.begin(), made.end());
  BOOST_TEST((std::adjacent_find(made.begin(), made.end()) == made.end()), "a stage was made twice");
  BOOST_TEST(made.size() == 17U);
  check_record(both, "smoke");
  for (const char* stage : {"sft", "reward", "responses", "rewards", "pairs"}) {
    BOOST_TEST(test::files_of(both.stage(stage)) == test::files_of(alone.stage(stage)));
  }
  for (const auto& entry : fs::directory_iterator(both.store())) {
    const std::string ending = entry.path().extension().string();
    BOOST_TEST((ending != ".partial" && ending != ".damaged"), entry.path());
    if (ending == ".lock") BOOST_TEST(fs::is_empty(entry.path()), entry.path());  // held by nobody
  }
}

BOOST_AUTO_TEST_CASE(fifteen_cached_runs_three_at_a_time_all_succeed) {
  const Command plumb(kSmoke);
  successful(plumb.run());
  for (int round = 0; round < 5; ++round) {
    Process first = plumb.start("run", {}, {}, "-1"), second = plumb.start("run", {}, {}, "-2"),
            third = plumb.start("run", {}, {}, "-3");
    for (const Outcome& outcome : {plumb.wait(first, "-1"), plumb.wait(second, "-2"), plumb.wait(third, "-3")}) {
      BOOST_TEST(successful(outcome).output.find("0 stages ran") != std::string::npos, outcome.output);
    }
  }
  check_record(plumb, "smoke");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
