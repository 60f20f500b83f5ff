// What is wrong with recipes, models, data and disks, through the real command: the message says what was found, where
// and what was wanted, the exit status says whose fault it is, and what earlier stages made is still there.
#include <sys/mount.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <memory>

#include "tests/faults/command.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::Command;
using test::Outcome;

const fs::path kModel = fs::path(PLUMB_SOURCE_DIR) / "tests/parity/goldens/micro-llama";

constexpr const char* kRecipe = R"(name: input
datasets:
  demos: {source: {name: jsonl, path: demos.jsonl, records: demonstrations}}
  prompts: {source: {name: jsonl, path: prompts.jsonl, records: prompts}}
models:
  base: {path: model, chat_format: plain}
stages:
  bpe: {stage: tokenizer, data: demos, vocabulary_size: 300}
  sft: {stage: sft, model: base, data: demos, batch_size: 2, max_steps: 2, save_steps: 1}
  responses: {stage: sample, model: sft, prompts: prompts, k: 2, max_new_tokens: 4}
)";

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::string demonstration(const std::string& prompt, const std::string& answer) {
  return to_json(Value::map({{"prompt", prompt}, {"completion", answer}})) + "\n";
}

// A recipe that is right, over files of its own that a test spoils.
struct Given {
  Given() {
    write(folder / "input.yaml", kRecipe);
    write(folder / "demos.jsonl", demonstration("Say a.", "a") + demonstration("Say b.", "b"));
    write(folder / "prompts.jsonl", "{\"prompt\":\"Say c.\"}\n{\"prompt\":\"Say d.\"}\n");
    fs::copy(kModel, model);
  }

  // The recipe with one line of it replaced.
  void set_line(const std::string& begin, const std::string& line) const {
    std::string text = kRecipe;
    const auto at = text.find("  " + begin);
    BOOST_REQUIRE(at != std::string::npos);
    text.replace(at, text.find('\n', at) - at, "  " + line);
    write(folder / "input.yaml", text);
  }

  // The model's weights with another header, of the same length or padded to it.
  void edit_header(const std::function<void(std::string&)>& edit) const {
    std::string bytes = read_file(weights()).value();
    std::size_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8U | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    std::string header = bytes.substr(8, length);
    edit(header);
    BOOST_REQUIRE(header.size() <= length);
    header.resize(length, ' ');
    write(weights(), bytes.replace(8, length, header));
  }

  void edit_config(const std::string& key, Value value) const {
    Value config = parse_json(read_file(model / "config.json").value());
    config.set(key, std::move(value));
    write(model / "config.json", to_json(config));
  }

  [[nodiscard]] fs::path weights() const { return model / "model.safetensors"; }

  test::Folder folder;
  fs::path model = folder / "model";
  Command plumb{folder / "input.yaml"};
};

// Refused with this status and a message that holds all of `parts`.
void check_refusal(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  BOOST_TEST(outcome.status == status, outcome.status << ": " << outcome.errors);
  for (const std::string& part : parts) {
    BOOST_TEST(outcome.says(part), "wanted: " << part << "\nfound: " << outcome.errors);
  }
  for (const char* noise : {"internal error", "terminate called", "c10::", "frame #"}) {
    BOOST_TEST(!outcome.says(noise), outcome.errors);
  }
}

// Refused in the middle of a run: what earlier stages made is taken from the cache once the fault is gone, but for
// the one that reads the `repaired` file.
void check_failed_stage(const Given& given, const Outcome& outcome, int status, const std::string& stage,
                        const std::vector<std::string>& parts, const std::function<void()>& repair,
                        const std::string& repaired = "") {
  check_refusal(outcome, status, parts);
  BOOST_TEST(outcome.says("stage `" + stage + "`"), outcome.errors);
  const Value record = parse_json(read_file(given.plumb.runs() / "input/run.json").value());
  BOOST_TEST(record.at("status").as_string() == "failed");
  const auto done = outcome.made();
  repair();
  const Outcome again = given.plumb.run();
  BOOST_TEST(again.status == 0, again.errors);
  for (const std::string& name : again.made()) {
    const bool twice = name != stage && name != repaired && std::find(done.begin(), done.end(), name) != done.end();
    BOOST_TEST(!twice, name << " was made again although nothing of it had changed");
  }
  BOOST_TEST(done.size() >= 2U);  // so something was there to be kept
}

// The run fails in `stage` as said; with the file as it was it goes on.
void check_file(const Given& given, const fs::path& file, const std::function<void()>& spoil, const std::string& stage,
                const std::vector<std::string>& parts, const std::string& repaired = "") {
  const std::string good = read_file(file).value();
  spoil();
  check_failed_stage(
      given, given.plumb.run(), 4, stage, parts, [&] { write(file, good); }, repaired);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bad_input, *boost::unit_test::fixture<test::InMemory>() * boost::unit_test::disabled())

BOOST_FIXTURE_TEST_CASE(what_is_given_runs, Given) {
  const Outcome outcome = plumb.run();
  BOOST_TEST(outcome.status == 0, outcome.errors);
  BOOST_TEST(outcome.made().size() == 6U);
}

BOOST_FIXTURE_TEST_CASE(recipes_that_cannot_work_are_refused_before_anything_runs, Given) {
  const auto refused = [&](const std::vector<std::string>& parts) {
    for (const char* verb : {"validate", "plan", "run"}) {
      BOOST_TEST_CONTEXT(verb) {
        check_refusal(plumb.call(verb), 2, parts);
      }
    }
    BOOST_TEST(!fs::exists(plumb.runs()));
  };
  const std::string file = (folder / "input.yaml").string();
  set_line("base:", "base: {path: modle, chat_format: plain}");
  refused({file + ":6:16", "models.base.path", (folder / "modle").string(), "model"});
  set_line("sft:", "sft: {stage: sft, model: aligned, data: demos}\n  aligned: {stage: sft, model: sft, data: demos}");
  refused({file + ":10:32", "stages.aligned.model", "the stages wait for each other: sft -> aligned -> sft"});
  set_line("responses:", "responses: {stage: sample, model: demos, prompts: prompts}");
  refused({file + ":10:37", "stages.responses.model", "demos", "demonstrations", "model"});
  set_line("demos:", "demos: {source: {name: jsonl, path: absent.jsonl, records: demonstrations}}");
  refused({file + ":3:39", "absent.jsonl"});
}

BOOST_AUTO_TEST_CASE(what_is_no_recipe_is_refused) {
  const test::Folder folder;
  const auto refused = [&](const fs::path& recipe, const std::vector<std::string>& parts) {
    const Command plumb(recipe);
    for (const char* verb : {"validate", "run"}) {
      BOOST_TEST_CONTEXT(verb << " " << recipe) {
        check_refusal(plumb.call(verb), 2, parts);
      }
    }
    BOOST_TEST(!fs::exists(plumb.runs()));
  };
  refused(folder.path(), {folder.path().string(), "is a folder"});
  refused(folder / "absent.yaml", {(folder / "absent.yaml").string(), "no such file"});
  fs::copy_file(PLUMB_COMMAND, folder / "program.yaml");
  refused(folder / "program.yaml", {(folder / "program.yaml").string()});
  write(folder / "zeros.yaml", std::string(1000, '\0'));
  refused(folder / "zeros.yaml", {(folder / "zeros.yaml").string() + ":1:1"});
  {
    std::ofstream out(folder / "huge.yaml");
    out << "name: huge\n";
    for (int i = 0; i < 400000; ++i) out << "# a comment that makes the recipe far larger than anybody writes one\n";
  }
  refused(folder / "huge.yaml", {(folder / "huge.yaml").string(), "a recipe has at most 262144"});
  refused("/dev/zero", {"/dev/zero", "a recipe has at most"});  // reading ends somewhere
}

BOOST_FIXTURE_TEST_CASE(truncated_weights, Given) {
  check_file(*this, weights(), [&] { fs::resize_file(weights(), 100000); }, "base",
             {weights().string() + ": its tensors take 107136 bytes, but 97888 follow the header", "truncated"});
  const Given other;
  check_file(other, other.weights(), [&] { fs::resize_file(other.weights(), 300); }, "base",
             {"model.safetensors", "truncated"});
}

BOOST_FIXTURE_TEST_CASE(overlapping_weights, Given) {
  const auto overlap = [](std::string& header) {
    Value tensors = parse_json(header);
    // The second tensor of the file takes the bytes of the first of the same size.
    Value::List first;
    for (auto& [name, tensor] : tensors.as_map()) {
      if (name == "__metadata__") continue;
      const Value::List offsets = tensor.at("data_offsets").as_list();
      const auto size = [](const Value::List& o) { return o[1].as_int() - o[0].as_int(); };
      if (!first.empty() && size(first) == size(offsets)) {
        tensor.set("data_offsets", Value(first));
        break;
      }
      first = offsets;
    }
    header = to_json(tensors);
  };
  check_file(*this, weights(), [&] { edit_header(overlap); }, "base",
             {"model.safetensors", "overlapping", "begins at byte"});
}

BOOST_FIXTURE_TEST_CASE(weights_that_do_not_fit_the_configuration, Given) {
  check_file(*this, model / "config.json", [&] { edit_config("intermediate_size", 48); }, "base",
             {"model", "tensor model.layers.0.mlp", "has shape [", "config.json makes it [", "48"});
  const Given other;
  check_file(other, other.model / "config.json", [&] { other.edit_config("num_hidden_layers", 3); }, "base",
             {"missing", "model.layers.2."});
}

BOOST_FIXTURE_TEST_CASE(a_tokenizer_that_does_not_fit_the_vocabulary, Given) {
  // The recipe's own tokenizer has more ids than the model has rows.
  set_line("base:", "base: {path: model, chat_format: plain, tokenizer: bpe}");
  check_failed_stage(
      *this, plumb.run(), 4, "base",
      {model.string(), "the tokenizer has 261 ids", "the model's vocab_size is 128", "do not belong together"},
      [&] { set_line("base:", "base: {path: model, chat_format: plain}"); });
}

BOOST_FIXTURE_TEST_CASE(rows_that_cannot_be_read, Given) {
  const fs::path file = folder / "demos.jsonl";
  const std::string good = read_file(file).value(), where = file.string() + ":3:";
  const auto refuse = [&](const std::string& row, const std::vector<std::string>& parts) {
    write(file, good + row + "\n");
    const Outcome outcome = plumb.run();
    check_refusal(outcome, 4, parts);
    BOOST_TEST(outcome.says("stage `demos`"), outcome.errors);
    write(file, good);
  };
  refuse("{\"prompt\": \"Say e.\", \"completion\": ", {where});
  refuse("{\"prompt\": \"Say e.\"}", {where, "completion"});
  refuse("{\"prompt\": 5, \"completion\": \"e\"}", {where, "prompt"});
  refuse("[]", {where});
  refuse("{\"prompt\": \"Say \xff\", \"completion\": \"e\"}", {where});
  refuse("{\"prompt\": \"Say e.\", \"prompt\": \"Say f.\", \"completion\": \"e\"}", {where, "prompt"});
  BOOST_TEST(plumb.run().status == 0);
}

BOOST_FIXTURE_TEST_CASE(empty_answers_are_counted_and_said, Given) {
  write(folder / "demos.jsonl",
        demonstration("Say a.", "a") + demonstration("Say b.", " ") + demonstration("Say c.", "c"));
  const Outcome outcome = plumb.run();
  BOOST_TEST(outcome.status == 0, outcome.errors);
  BOOST_TEST(outcome.says("warning: demos: "), outcome.errors);
  BOOST_TEST(outcome.says("demos.jsonl:2"), outcome.errors);
  BOOST_TEST(outcome.says("empty"), outcome.errors);
  // Nothing but empty ones is an error.
  write(folder / "demos.jsonl", demonstration("Say a.", "") + demonstration("Say b.", "\n"));
  check_refusal(plumb.run(), 4, {"stage `demos`", "no row is left", "left out 2 of 2 rows", "empty", "demos.jsonl:1"});
}

BOOST_FIXTURE_TEST_CASE(prompts_longer_than_the_context, Given) {
  const fs::path file = folder / "prompts.jsonl";
  std::string words;
  for (int i = 0; i < 300; ++i) words += "word ";
  check_file(
      *this, file, [&] { write(file, "{\"id\":\"long-one\",\"prompt\":\"" + words + "\"}\n"); }, "responses",
      {"prompt long-one has", "tokens", "context of 256", "max_new_tokens"}, "prompts");
  // To train on, such a row is left out and counted; none but such rows is an error.
  write(folder / "demos.jsonl", demonstration(words, "a") + demonstration("Say b.", "b"));
  const Outcome left_out = plumb.run();
  BOOST_TEST(left_out.status == 0, left_out.errors);
  BOOST_TEST(left_out.says("left out 1 of 2 rows: longer than the model's context of 256 tokens"), left_out.errors);
  write(folder / "demos.jsonl", demonstration(words, "a"));
  check_refusal(plumb.run(), 4,
                {"stage `sft`", "none of 1 rows can be trained on", "longer than the model's context of 256 tokens"});
}

BOOST_FIXTURE_TEST_CASE(a_full_disk, Given) {
  // The disk is full from some operation on the weights of `sft`, its checkpoints, the rows that it answers with.
  struct Place {
    std::string part, stage;
    int from;
  };
  for (const Place& place :
       {Place{"checkpoints", "sft", 3}, {".model.safetensors", "sft", 2}, {"work/responses", "responses", 1}}) {
    BOOST_TEST_CONTEXT(place.part) {
      const Given given;
      const Outcome outcome =
          given.plumb.run({}, {fmt::format("PLUMB_FAIL_FROM={}", place.from), "PLUMB_FAULT_PATH=" + place.part});
      check_failed_stage(given, outcome, 4, place.stage,
                         {"No space left on device", given.plumb.store().string(), "more were wanted", "are free there",
                          "Free some space, then run the same command again; finished work is kept"},
                         [] {});
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_folder_of_runs_that_cannot_be_written, Given) {
  write(plumb.runs(), "a file stands in the way");
  check_refusal(plumb.run(), 4, {plumb.runs().string(), "Not a directory"});
  fs::remove(plumb.runs());

  BOOST_TEST(plumb.run({"--until", "bpe"}).status == 0);
  const bool root = ::geteuid() == 0;
  const std::string runs = plumb.runs().string();
  if (root) {  // who passes by permissions, but not by a file system that is mounted for reading only
    if (::mount(runs.c_str(), runs.c_str(), "", MS_BIND, nullptr) != 0 ||
        ::mount("", runs.c_str(), "", MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      BOOST_TEST_MESSAGE("skipped: no right to mount");
      ::umount2(runs.c_str(), MNT_DETACH);
      return;
    }
  } else {
    fs::permissions(plumb.runs(), fs::perms::owner_read | fs::perms::owner_exec);
    fs::permissions(plumb.runs() / "input", fs::perms::owner_read | fs::perms::owner_exec);
  }
  const Outcome outcome = plumb.run();
  if (root) {
    ::umount2(runs.c_str(), MNT_DETACH);
  } else {
    fs::permissions(plumb.runs(), fs::perms::owner_all);
    fs::permissions(plumb.runs() / "input", fs::perms::owner_all);
  }
  check_refusal(outcome, 4, {runs, root ? "Read-only file system" : "Permission denied"});
  const Outcome again = plumb.run();
  BOOST_TEST(again.status == 0, again.errors);
  BOOST_TEST(again.made().size() == 4U);  // demos and bpe are kept
}

// An escape sequence that sets the title, an 8-bit one and a reversal of the direction, in what others wrote.
BOOST_AUTO_TEST_CASE(nothing_that_acts_on_a_terminal_is_printed) {
  const std::string hostile = R"(x\u001b]0;PWNED\u0007\u009d\u202e)";
  const test::Folder folder;
  fs::create_directories(folder / "model");
  std::ofstream(folder / "recipe.yaml") << "name: x\nstages:\n  a: {stage: \"" << hostile << "\"}\n";
  std::ofstream(folder / "model/model.safetensors") << std::string("\2\0\0\0\0\0\0\0{}", 10);  // no tensors
  std::ofstream(folder / "model/config.json") << R"({"model_type": ")" << hostile << "\"}";
  std::ofstream(folder / "run.json")
      << R"({"recipe": "x", "status": "failed", "seed": 1, "started": "", "process": 1, "file": "x.yaml", "error": ")"
      << hostile << R"(", "stages": []})";
  const std::string recipe = (folder / "recipe.yaml").string(), model = (folder / "model").string();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"validate", recipe},
                                                {"plan", recipe},
                                                {"run", recipe},
                                                {"certify", model},
                                                {"generate", model, "--prompt", "x"},
                                                {"show", folder.path().string()}}) {
    std::vector<std::string> command{PLUMB_COMMAND};
    command.insert(command.end(), words.begin(), words.end());
    test::Process(command, {folder / "errors", folder / "output"}).wait();
    const std::string said = read_file(folder / "errors").value() + read_file(folder / "output").value();
    BOOST_TEST_CONTEXT(words[0] << ": " << said) {
      BOOST_TEST(said.find("PWNED") != std::string::npos);
      for (const char* acting : {"\x1b", "\x07", "\xC2\x9D", "\xE2\x80\xAE"}) {
        BOOST_TEST(said.find(acting) == std::string::npos);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
