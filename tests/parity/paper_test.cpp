// recipes/paper/hh.yaml from demonstrations to both judged benchmarks, on tiny models of random weights with the real
// tokenizers and real rows. Of the recipe nothing is changed but paths, devices, limits and the judge's address.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/merged_model.h"
#include "framework/engine/stages/training_rows.h"
#include "tests/parity/implicit_margin.h"

namespace {

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

const char* const kModels = R"(name: made
seed: 3
datasets:
  preferences: {source: {name: hh-rlhf, path: data/hh-rlhf-helpful/train.jsonl}, limit: 64}
models:
  llama:
    architecture: llama2
    tokenizer: llama-tokenizer
    chat_format: llama-2
    config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2,
             max_position_embeddings: 4096, initializer_range: 0.2}
  pythia:
    architecture: pythia
    tokenizer: neox-tokenizer
    chat_format: oasst
    config: {hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2,
             max_position_embeddings: 2048, initializer_range: 0.2}
stages:
  llama-tokenizer: {stage: tokenizer, path: tokenizers/llama}
  neox-tokenizer: {stage: tokenizer, path: tokenizers/neox}
  rm: {stage: reward_model, model: pythia, data: preferences, batch_size: 8, max_steps: 8, learning_rate: 3.0e-2}
)";

const char* const kChanges = R"(name: tiny-hh
base: hh.yaml
datasets:
  demonstrations: {limit: 24}
  prompts: {limit: 20}
  prompts-alone: {limit: 20}
  held-out: {limit: 24}
stages:
  sft: {device: cpu}
  responses: {max_new_tokens: 24, generator: {device: cpu}}
  rewards: {reward: {device: cpu}}
  aligned: {device: cpu}
  mt-bench: {device: cpu, max_new_tokens: 16, judge: {url: "http://127.0.0.1:PORT/v1", cache: cache}}
  alpaca-eval: {device: cpu, max_new_tokens: 16, judge: {url: "http://127.0.0.1:PORT/v1", cache: cache}}
)";

struct Place {
  Folder folder;

  explicit Place(const fs::path& data) {
    const auto link = [&](const fs::path& from, const std::string& to) {
      fs::create_directories((folder / to).parent_path());
      fs::create_symlink(from, folder / to);
    };
    link(data / "oasst1-sample", "data/oasst1");
    link(data / "hh-rlhf-helpful/train_2000_slice.jsonl", "data/hh-rlhf-helpful/train.jsonl");
    link(data / "hh-rlhf-helpful/test.jsonl", "data/hh-rlhf-helpful/test.jsonl");
    link(data / "mt-bench", "data/mt-bench");
    link(data / "alpaca-eval/text_davinci_003/model_outputs.json", "data/alpaca-eval/alpaca_eval.json");
    link(data / "alpaca-eval/text_davinci_003/model_outputs.json", "data/alpaca-eval/text_davinci_003.json");
    link(data / "alpaca-eval/evaluators/alpaca_eval_gpt4/alpaca_eval.txt",
         "data/alpaca-eval/alpaca_eval_gpt4/alpaca_eval.txt");
    link(data / "llama2-tokenizer/tokenizer.model", "tokenizers/llama/tokenizer.model");
    link(data / "llama2-tokenizer/tokenizer.json", "tokenizers/llama/tokenizer.json");
    link(data / "neox-tokenizer/20B_tokenizer.json", "tokenizers/neox/tokenizer.json");
    link("../runs/made/llama", "models/Llama-2-7b");
    link("../runs/made/rm", "models/pythia-6.9b-rm-oa");
    fs::copy(PLUMB_SOURCE_DIR "/recipes/paper/hh.yaml", folder / "hh.yaml");
    write_file(folder / "made.yaml", kModels).value();
  }

  void run(const std::string& recipe) const {
    const std::string log = (folder / "log.txt").string();
    const int status = std::system((PLUMB_COMMAND " run " + (folder / recipe).string() + " --quiet --runs " +
                                    (folder / "runs").string() + " >" + log + " 2>&1")
                                       .c_str());
    BOOST_REQUIRE_MESSAGE(WEXITSTATUS(status) == 0, read_file(log).value());
  }

  [[nodiscard]] fs::path stage(const std::string& name) const { return folder / "runs" / "tiny-hh" / name; }
};

class Judge {
 public:
  explicit Judge(const fs::path& folder) {
    const std::string port = (folder / "port").string(), pid = (folder / "pid").string();
    static_cast<void>(std::system(("python3 " PLUMB_SOURCE_DIR "/tests/parity/judge.py " + port +
                                   " >/dev/null 2>&1 & "
                                   "echo $! >" +
                                   pid)
                                      .c_str()));
    pid_ = std::stoi(read_file(pid).value());
    for (int i = 0; i < 200 && !fs::exists(port); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    port_ = read_file(port).value();
  }
  ~Judge() { ::kill(pid_, SIGTERM); }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;
  [[nodiscard]] const std::string& port() const { return port_; }

 private:
  int pid_ = 0;
  std::string port_;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

// Takes a minute and more: run by its name.
BOOST_AUTO_TEST_SUITE(paper, *boost::unit_test::disabled())

BOOST_AUTO_TEST_CASE(the_papers_recipe_evaluates_the_model_that_it_trained) {
  const fs::path data = shared_data("data");
  if (data.empty()) return;
  ::setenv("OPENAI_API_KEY", "none-is-checked", 1);
  const Place place(data);
  const Judge judge(place.folder.path());
  write_file(place.folder / "tiny.yaml", replaced(kChanges, "PORT", judge.port())).value();
  place.run("made.yaml");
  place.run("tiny.yaml");

  const fs::path sft = place.stage("sft"), aligned = place.stage("aligned");
  LanguageModel reference = open_to_use(sft), trained = by_hand(sft, aligned), evaluated = open_to_use(aligned);
  const Artifact pairs{place.stage("pairs"), read_manifest(place.stage("pairs")).value()};
  const PairRows rows = pair_rows(pairs, reference, {}, host()).rows;
  BOOST_TEST(rows.pairs.size() > 20U);
  const double wanted = margin(trained, reference, rows);
  BOOST_TEST_MESSAGE("implicit margin " << wanted << " on " << rows.pairs.size() << " pairs");
  BOOST_TEST(wanted != 0);
  BOOST_TEST(margin(evaluated, reference, rows) == wanted, boost::test_tools::tolerance(0.01));
  // In the type of its base the update would be nearly gone.
  const MergeLoss loss = write_merged(aligned, place.folder / "merged", "bfloat16", false, plugins(), host());
  BOOST_TEST(loss.survives < 0.9);

  const Value scores = parse_json(read_file(place.stage("mt-bench") / "metrics.json").value());
  BOOST_TEST(to_json(scores).find("mt-bench/aligned/mean") != std::string::npos, to_json(scores));
  const Value wins = parse_json(read_file(place.stage("alpaca-eval") / "metrics.json").value());
  BOOST_TEST(to_json(wins).find("alpaca-eval/aligned") != std::string::npos, to_json(wins));
}

BOOST_AUTO_TEST_SUITE_END()
