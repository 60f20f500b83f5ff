// A reward model, a judge, an evaluator, a tokenizer, a data source and a generator, each with the defects of its kind.
#include <plumb/data_source.h>
#include <plumb/evaluator.h>
#include <plumb/generator.h>
#include <plumb/judge.h>
#include <plumb/plugin.h>
#include <plumb/reward_model.h>
#include <plumb/tokenizer.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "defect.h"

using defect::broken;

namespace {

struct Nothing {};

double length_of(const std::string& text) {
  return static_cast<double>(text.size());
}

// The second of two threads to come here releases both.
void begin_together(std::atomic<int>& ready) {
  ++ready;
  while (ready < 2) std::this_thread::yield();
}

class Length final : public plumb::RewardModel {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"the length of an answer"}; }
  Length(const Settings&, plumb::Host&) {}
  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
    std::vector<std::vector<double>> out;
    std::size_t total = 0;
    for (const auto& group : groups) {
      if (broken("reward-empty") && group.responses.empty()) continue;
      auto& rewards = out.emplace_back();
      for (const auto& response : group.responses) rewards.push_back(length_of(response.text));
      total += group.responses.size();
    }
    if (broken("reward-nan") && out.size() > 1 && !out[1].empty()) out[1][0] = std::nan("");
    if (broken("reward-short") && out.size() > 1) out.back().pop_back();
    if (broken("reward-of-batch")) {
      for (auto& rewards : out) {
        for (double& reward : rewards) reward /= static_cast<double>(total);
      }
    }
    return out;
  }
};

class Grader final : public plumb::Judge {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"longer is better"}; }
  Grader(const Settings&, plumb::Host&) {}
  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    plumb::Judgement out;
    if (broken("judge-throws") && request.answer.empty()) throw std::invalid_argument("an empty answer");
    if (broken("judge-crash") && request.answer.size() > 1000) std::abort();
    if (broken("judge-silent") && request.other) return out;
    out.score = length_of(request.answer);
    if (broken("judge-infinite")) out.score = INFINITY;
    if (!request.other) return out;
    out.preference = request.answer.size() > request.other->size() ? 1 : 0;
    if (broken("judge-preference")) *out.preference += 1;
    return out;
  }
};

class Mean final : public plumb::Evaluator {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"the mean judgement"}; }
  Mean(const Settings&, plumb::Host&) {}
  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    plumb::Evaluation out;
    std::thread ahead;
    std::atomic<int> ready{0};
    if (broken("context-from-threads")) {
      ahead = std::thread([&] {
        begin_together(ready);
        context.answer(context.models().back(), context.prompts(), context.options());
      });
      begin_together(ready);
    }
    for (const std::string& model : context.models()) {
      double sum = 0, count = 0, failed = 0;
      const auto answers = context.answer(model, context.prompts(), context.options());
      if (ahead.joinable()) ahead.join();
      const auto samples = static_cast<std::size_t>(context.options().samples);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const plumb::Prompt& prompt = context.prompts()[i / samples];
        const auto judged = context.judge()->judge({prompt.id, prompt, answers[i], {}, {}, {}, 0});
        judged.score ? sum += *judged.score : ++failed;
        ++count;
        const std::string who = broken("evaluator-row") ? "somebody" : model;
        out.answers.push_back({prompt.id, who, prompt.messages, answers[i], {}, {}});
      }
      const double mean = broken("evaluator-nan") ? std::nan("") : sum / (count - failed);
      const std::string name = broken("evaluator-names") ? "mean" : model + "/mean";
      out.metrics.push_back({name, mean, mean - 1, mean + 1, 0.5, static_cast<std::int64_t>(count)});
      if (broken("evaluator-interval")) out.metrics.back().low = mean + 0.5;
      if (!broken("evaluator-hides-failures")) out.failures[name] = static_cast<std::int64_t>(failed);
    }
    return out;
  }
};

// Bytes shifted by three; 0 begins, 1 ends.
class Bytes final : public plumb::Tokenizer {
 public:
  struct Settings {
    std::string path;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"a token for each byte"};
    p.add(&Settings::path, "path", "where it lies; nothing is read there");
    return p;
  }
  Bytes(const Settings&, plumb::Host&) {}
  [[nodiscard]] std::vector<plumb::TokenId> encode(std::string_view text, bool) const override {
    if (broken("tokenizer-special")) return encode_with_special(text);
    if (broken("tokenizer-utf8")) require_ascii_or_utf8(text);
    std::vector<plumb::TokenId> out;
    for (const char c : text) out.push_back(static_cast<unsigned char>(c) + 3);
    if (broken("tokenizer-range") && text.size() == 1) out.back() += 256;
    return out;
  }
  [[nodiscard]] std::vector<plumb::TokenId> encode_with_special(std::string_view text) const override {
    if (text == "<s>") return {0};
    if (text == "</s>") return {1};
    std::vector<plumb::TokenId> out;
    for (const char c : text) out.push_back(static_cast<unsigned char>(c) + 3);
    return out;
  }
  [[nodiscard]] std::string decode(std::span<const plumb::TokenId> ids, bool keep) const override {
    std::string out;
    for (const plumb::TokenId id : ids) {
      if (id < 3 && keep) out += id == 0 ? "<s>" : "</s>";
      if (id >= 3) out += static_cast<char>(id - 3);
    }
    if (broken("tokenizer-lossy")) std::erase(out, '.');
    return out;
  }
  [[nodiscard]] std::string piece_bytes(plumb::TokenId id) const override {
    return std::string(1, static_cast<char>(id - 3));
  }
  [[nodiscard]] std::optional<plumb::TokenId> find(std::string_view) const override { return {}; }
  [[nodiscard]] std::size_t vocabulary_size() const override { return 259; }
  [[nodiscard]] plumb::SpecialTokens special() const override { return {0, 1, {}, {}}; }
  [[nodiscard]] std::vector<std::string> files() const override {
    return broken("tokenizer-files") ? std::vector<std::string>{} : std::vector<std::string>{"bytes.txt"};
  }

 private:
  static void require_ascii_or_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (static_cast<unsigned char>(text[i]) >= 0xf8) throw std::range_error("no UTF-8");
    }
  }
};

class Rows final : public plumb::DataSource {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"five questions"}; }
  Rows(const Settings&, plumb::Host&) {}
  std::optional<plumb::Record> next() override {
    if (row_ == 5 && broken("data-restarts")) {
      row_ = 0;
      return {};
    }
    if (row_ == 5) return {};
    const int id = broken("data-ids") ? row_++ / 2 : row_++;
    const char* role = broken("data-roles") ? "human" : "user";
    if (broken("data-types") && row_ == 3) return plumb::Demonstration{"d", {{"user", "a"}, {"assistant", "b"}}, {}};
    plumb::Prompt prompt{"row-" + std::to_string(id), {{role, "question " + std::to_string(row_)}}, {}};
    if (broken("data-last-turn")) prompt.messages.push_back({"assistant", "answer"});
    return prompt;
  }
  [[nodiscard]] std::vector<std::string> files() const override {
    return broken("data-files") ? std::vector<std::string>{"/no/such/rows.jsonl"} : std::vector<std::string>{};
  }

 private:
  int row_ = 0;
};

class Echo final : public plumb::Generator {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"the question as the answer"}; }
  Echo(const Settings&, plumb::Host& host) : host_(host) {}
  ~Echo() override {
    if (!broken("speaks-after-its-end")) return;
    std::thread([&host = host_] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      host.log(plumb::LogLevel::info, "goodbye");
    }).detach();
  }
  void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
    if (broken("done-from-threads")) return generate_in_threads(prompts, sampling, done);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (host_.cancelled() && !broken("generator-deaf")) return;
      if (broken("generator-forgets") && prompts.size() > 1 && i + 1 == prompts.size()) {
        done(0, group(prompts[0], sampling, prompts.size()));
        return;
      }
      done(i, group(prompts[i], sampling, prompts.size()));
    }
  }

 private:
  // Two threads hand over what they have, whenever they have it.
  void generate_in_threads(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                           const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) {
    std::atomic<int> ready{0};
    const auto every_other = [&](std::size_t from) {
      begin_together(ready);
      for (std::size_t i = from; i < prompts.size() && !host_.cancelled(); i += 2)
        done(i, group(prompts[i], sampling, prompts.size()));
    };
    std::thread other(every_other, 1);
    every_other(0);
    other.join();
  }
  static plumb::ResponseGroup group(const plumb::Prompt& prompt, const plumb::Sampling& sampling,
                                    std::size_t together) {
    plumb::ResponseGroup out{prompt, {1}, {}, {}};
    for (std::int64_t k = 0; k < sampling.responses; ++k) {
      plumb::Response response;
      const auto size = static_cast<std::int64_t>(broken("generator-long") ? 50 : 3);
      response.text = prompt.messages.back().content + (broken("generator-batch") ? std::to_string(together) : "");
      response.ids.assign(static_cast<std::size_t>(size), 7);
      out.responses.push_back(std::move(response));
    }
    return out;
  }
  plumb::Host& host_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.broken-answers", "1.0.0", "Apache-2.0", "one component of each kind that gives answers") {
  registrar.add<Length>("length");
  registrar.add<Grader>("grader");
  registrar.add<Mean>("mean").needs({"judge"});
  registrar.add<Bytes>("bytes").claims({"bytes.txt"});
  registrar.add<Rows>("rows").yields({"prompts"});
  registrar.add<Echo>("echo");
}
