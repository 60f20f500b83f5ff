// The generator against servers that misbehave. tests/serving runs it against a real one.
#include <plumb/error.h>
#include <plumb/language_models.h>
#include <plumb/policy_texts.h>
#include <plumb/served_generator.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "fake_server.h"

using plumb::Value;
using remote::test::FakeServer;
using Asked = FakeServer::Asked;
using Said = FakeServer::Said;

namespace {

// A byte is a token; 2 ends an answer. The model's greedy tokens count up from 10.
struct Texts final : plumb::TextsHandle {
  [[nodiscard]] std::vector<plumb::TokenId> prompt_ids(const plumb::Prompt& prompt) const override {
    std::vector<plumb::TokenId> ids{1};
    for (const char c : prompt.messages.at(0).content) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] std::string answer_text(std::span<const plumb::TokenId> ids) const override {
    std::string text;
    for (const plumb::TokenId id : ids) text += id == 2 ? std::string() : std::string(1, static_cast<char>(id));
    return text;
  }
  [[nodiscard]] std::vector<plumb::TokenId> ends() const override { return {2}; }
  [[nodiscard]] std::int64_t vocabulary() const override { return 128; }
  [[nodiscard]] std::int64_t context() const override { return 40; }
};

struct Models final : plumb::LanguageModels, plumb::PolicyTexts {
  struct Policy final : plumb::PolicyHandle {
    void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                  const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
      BOOST_TEST((prompts.size() == 1U && sampling.responses == 1 && sampling.temperature == 0));
      plumb::ResponseGroup group{prompts[0], {}, {{}}, {}};
      for (std::int64_t i = 0; i < sampling.max_new_tokens; ++i) {
        group.responses[0].ids.push_back(static_cast<plumb::TokenId>(10 + i));
      }
      done(0, std::move(group));
    }
  };
  std::unique_ptr<plumb::PolicyHandle> open_policy(const std::string& at, const plumb::OpenOptions& how) override {
    folder = at;
    dtype = how.placement.dtype;
    ++opened;
    return std::make_unique<Policy>();
  }
  std::unique_ptr<plumb::RewardHandle> open_reward(const std::string&, const plumb::OpenOptions&) override {
    return nullptr;
  }
  std::unique_ptr<plumb::TextsHandle> open_texts(const std::string&) override { return std::make_unique<Texts>(); }
  std::string folder, dtype;
  int opened = 0;
};

bool is_greedy(const Asked& asked) {
  return asked.body.is_map() && asked.body.at("temperature").as_double() == 0;
}

std::string answer(const Asked& asked, const std::vector<std::int64_t>& ids, const char* stop) {
  Value::List list(ids.begin(), ids.end());
  const auto read = static_cast<std::int64_t>(asked.body.at("prompt").as_list().size());
  return plumb::to_json(Value::map({{"tokens", std::move(list)}, {"stop_type", stop}, {"tokens_evaluated", read}}));
}

// What a llama.cpp with the model says, or with `other` weights.
Said well(const Asked& asked, int other = 0) {
  if (asked.body.is_null()) return {.body = R"({"build_info":"b4711-abc"})"};
  if (!is_greedy(asked)) {
    return {.body = answer(asked, {'a' + asked.body.at("seed").as_int() % 26, 2}, "eos")};
  }
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < asked.body.at("n_predict").as_int(); ++i) ids.push_back(10 + i);
  ids.back() += other;
  return {.body = answer(asked, ids, "limit")};
}

struct Sampling {
  explicit Sampling(FakeServer::Answer does, const std::vector<Value::Entry>& more = {}) : server(std::move(does)) {
    plugin.host.models = &models;
    plugin.host.texts = &models;
    Value params = Value::map({{"url", server.url()},
                               {"dialect", "llama.cpp"},
                               {"path", "/models/a"},
                               {"first_wait", 0.01},
                               {"attempts", 3},
                               {"concurrency", 4}});
    for (const Value::Entry& entry : more) params.set(entry.key, entry.value);
    generator = plugin.make<plumb::Generator>("remote", params);
  }

  // The answers by prompt; what was thrown goes to `error`.
  std::map<std::size_t, plumb::ResponseGroup> ask(std::size_t count, const plumb::Sampling& how) {
    std::vector<plumb::Prompt> prompts;
    for (std::size_t i = 0; i < count; ++i) prompts.push_back({"p" + std::to_string(i), {{"user", "question"}}, {}});
    std::map<std::size_t, plumb::ResponseGroup> groups;
    try {
      generator->generate(prompts, how, [&](std::size_t i, plumb::ResponseGroup&& group) {
        BOOST_TEST(group.responses.size() == static_cast<std::size_t>(how.responses));
        BOOST_TEST(groups.emplace(i, std::move(group)).second);
      });
    } catch (const plumb::Error& thrown) {
      error = thrown.what();
      code = thrown.code();
    }
    return groups;
  }
  [[nodiscard]] bool failed(const std::string& part) const { return error.find(part) != std::string::npos; }

  plumb::testing::PluginUnderTest plugin;
  Models models;
  FakeServer server;
  std::unique_ptr<plumb::Generator> generator;
  std::string error;
  plumb::ErrorCode code = plumb::ErrorCode::interrupted;
};

const plumb::Sampling three{.responses = 3, .max_new_tokens = 16, .top_k = 50, .top_p = 0.98, .seed = 5};

BOOST_AUTO_TEST_SUITE(remote_generator)

BOOST_AUTO_TEST_CASE(answers_are_the_servers_tokens) {
  std::set<std::int64_t> seeds;
  Sampling sampling([&](const Asked& asked) {
    if (!asked.body.is_null() && !is_greedy(asked)) {
      seeds.insert(asked.body.at("seed").as_int());
      BOOST_TEST(asked.body.at("top_k").as_int() == 50);
      BOOST_TEST(asked.body.at("top_p").as_double() == 0.98);
      BOOST_TEST(asked.body.at("n_predict").as_int() == 16);
      BOOST_TEST(asked.key.empty());
    }
    return well(asked);
  });
  const auto groups = sampling.ask(5, three);
  BOOST_TEST(sampling.error.empty(), sampling.error);
  BOOST_TEST_REQUIRE(groups.size() == 5U);
  BOOST_TEST(seeds.size() == 15U);  // one of its own for each answer
  for (const auto& [i, group] : groups) {
    BOOST_TEST(group.prompt.id == "p" + std::to_string(i));
    BOOST_TEST((group.prompt_ids == Texts().prompt_ids(group.prompt)));
    for (const plumb::Response& response : group.responses) {
      BOOST_TEST_REQUIRE(response.ids.size() == 2U);
      BOOST_TEST(response.ids[1] == 2);
      BOOST_TEST((response.finish == plumb::FinishReason::stop));
      BOOST_TEST(response.text == std::string(1, static_cast<char>(response.ids[0])));
    }
  }
  BOOST_TEST(sampling.models.folder == "/models/a");
  const auto* served = dynamic_cast<const plumb::ServedGenerator*>(sampling.generator.get());
  BOOST_TEST_REQUIRE(served != nullptr);
  BOOST_TEST(served->engine() == "llama.cpp b4711-abc");
  // Seeds are of the prompt and the answer's number, so another order asks the same.
  const auto again = sampling.ask(2, three);
  BOOST_TEST(seeds.size() == 15U);
  BOOST_TEST((again.at(1).responses[2].ids == groups.at(1).responses[2].ids));
  BOOST_TEST(sampling.models.opened == 1);  // the local model is asked once
}

BOOST_AUTO_TEST_CASE(greedy_answers_are_asked_for_once) {
  std::size_t requests = 0;
  Sampling sampling(
      [&](const Asked& asked) {
        requests += asked.body.is_null() ? 0 : 1;
        return well(asked);
      },
      {{"probe", 0}});
  const auto groups = sampling.ask(2, {.responses = 3, .max_new_tokens = 4, .temperature = 0});
  BOOST_TEST_REQUIRE(groups.size() == 2U);
  BOOST_TEST((groups.at(0).responses[2].ids == std::vector<plumb::TokenId>{10, 11, 12, 13}));
  BOOST_TEST((groups.at(0).responses[2].finish == plumb::FinishReason::length));
  BOOST_TEST(requests == 2U);
  BOOST_TEST(sampling.models.opened == 0);
}

BOOST_AUTO_TEST_CASE(stale_weights_are_found_before_anything_is_sampled) {
  std::size_t sampled = 0;
  Sampling sampling([&](const Asked& asked) {
    sampled += !asked.body.is_null() && !is_greedy(asked) ? 1 : 0;
    return well(asked, 1);
  });
  BOOST_TEST(sampling.ask(3, three).empty());
  BOOST_TEST(sampled == 0U);
  BOOST_TEST(
      sampling.failed("does not serve /models/a: greedy tokens after prompt p0 are 10 11 12 13 14 15 16 18 there "
                      "and 10 11 12 13 14 15 16 17 here, others from place 7 on"),
      sampling.error);
}

// It is restarted in the middle, with the weights of before.
BOOST_AUTO_TEST_CASE(stale_weights_after_an_outage_are_found) {
  Sampling sampling(
      [](const Asked& asked) {
        if (asked.number == 20) return Said{.reset = true};
        return well(asked, asked.number > 20 ? 1 : 0);
      },
      {{"concurrency", 1}});
  const auto groups = sampling.ask(20, three);
  BOOST_TEST(sampling.failed("does not serve"), sampling.error);
  BOOST_TEST(groups.size() == 6U);  // the probe and 19 answers came before
}

BOOST_AUTO_TEST_CASE(what_passes_is_asked_again) {
  std::map<std::size_t, Said> at{{2, {.status = 429, .body = "{}", .retry_after_ms = "10"}},
                                 {5, {.status = 503, .body = R"({"error":{"message":"Loading model"}})"}},
                                 {8, {.reset = true}},
                                 {11, {.body = "<html>busy</html>"}},
                                 {14, {.body = R"({"tokens":[5],"stop_type":"none","tokens_evaluated":9})"}},
                                 {17, {.status = 500, .body = "{}"}}};
  Sampling sampling([&](const Asked& asked) {
    if (asked.body.is_null()) return well(asked);
    const auto found = at.find(asked.number);
    return found == at.end() ? well(asked) : found->second;
  });
  BOOST_TEST(sampling.ask(10, three).size() == 10U);
  BOOST_TEST(sampling.error.empty(), sampling.error);
}

BOOST_AUTO_TEST_CASE(a_prompt_that_is_refused_ends_the_round_and_says_which) {
  Sampling sampling(
      [](const Asked& asked) {
        if (asked.number < 10) return well(asked);
        return Said{.status = 400, .body = R"({"error":{"message":"request (600 tokens) exceeds the context"}})"};
      },
      {{"concurrency", 1}});
  BOOST_TEST(sampling.ask(6, three).size() == 3U);
  BOOST_TEST(sampling.failed("refuses prompt p3 of 9 tokens: status 400: request (600 tokens) exceeds the context"),
             sampling.error);
  BOOST_TEST((sampling.code == plumb::ErrorCode::data));
}

BOOST_AUTO_TEST_CASE(what_was_answered_before_a_server_died_is_handed_over) {
  FakeServer* server = nullptr;
  Sampling sampling([&](const Asked& asked) {
    if (asked.number == 15) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));  // what was asked before is answered by now
      server->die();
    }
    return well(asked);
  });
  server = &sampling.server;
  const auto groups = sampling.ask(20, three);
  BOOST_TEST(groups.size() >= 3U);
  BOOST_TEST(groups.size() <= 5U);
  BOOST_TEST(sampling.failed("are kept: start it again and run the same command"), sampling.error);
  BOOST_TEST(sampling.failed("no answer after 3 attempts"), sampling.error);
  BOOST_TEST((sampling.code == plumb::ErrorCode::run_failed));
}

BOOST_AUTO_TEST_CASE(answers_wait_for_no_other_and_not_for_ever) {
  Sampling sampling(
      [](const Asked& asked) {
        if (asked.body.is_null() || is_greedy(asked)) return well(asked);
        Said said = well(asked);
        said.seconds = asked.number == 3 ? 5 : 0.03;  // the fourth passes `timeout` and is asked again
        return said;
      },
      {{"timeout", 0.3}, {"concurrency", 6}});
  BOOST_TEST(sampling.ask(8, three).size() == 8U);
  BOOST_TEST(sampling.error.empty(), sampling.error);
  BOOST_TEST(sampling.server.most_at_once() >= 3U);
  BOOST_TEST(sampling.server.most_at_once() <=
             7U);  // one more than asked for: the server goes on with what was given up
}

BOOST_AUTO_TEST_CASE(a_server_that_cannot_do_it_is_refused_at_once) {
  std::size_t requests = 0;
  Sampling sampling([&](const Asked& asked) {
    ++requests;
    if (asked.body.is_null()) return Said{.status = 404, .body = "{}"};
    return Said{.body = R"({"content":"text","stop_type":"eos"})"};
  });
  BOOST_TEST(sampling.ask(2, three).empty());
  BOOST_TEST(sampling.failed("answers without token ids"), sampling.error);
  BOOST_TEST(requests == 2U);  // neither is asked twice
}

BOOST_AUTO_TEST_CASE(a_request_to_stop_ends_it_soon) {
  Sampling sampling([&](const Asked& asked) {
    Said said = well(asked);
    if (asked.number > 4) said.seconds = 5;
    return said;
  });
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    sampling.plugin.host.cancel = true;
  });
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(sampling.ask(20, three).size() < 20U);
  later.join();
  BOOST_TEST(sampling.error.empty(), sampling.error);
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(3)));
}

BOOST_AUTO_TEST_CASE(the_key_and_the_address_come_from_the_environment) {
  ::setenv("PLUMB_UNIT_SERVER_KEY", "sk-0123456789", 1);
  std::set<std::string> keys;
  FakeServer server([&](const Asked& asked) {
    keys.insert(asked.key);
    if (asked.number > 3) return Said{.status = 401, .body = R"({"error":{"message":"sk-0123456789 is no key"}})"};
    return well(asked);
  });
  ::setenv("PLUMB_UNIT_SERVER", server.url().c_str(), 1);
  Sampling sampling([](const Asked& asked) { return well(asked); },
                    {{"key_from", "PLUMB_UNIT_SERVER_KEY"}, {"url", ""}, {"url_from", "PLUMB_UNIT_SERVER"}});
  BOOST_TEST(sampling.ask(2, three).size() <= 1U);
  BOOST_TEST((keys == std::set<std::string>{"Bearer sk-0123456789"}));
  BOOST_TEST(sampling.failed("refuses every request: status 401: *** is no key"), sampling.error);
}

BOOST_AUTO_TEST_CASE(a_prompt_without_room_is_refused_before_anything_is_asked) {
  std::size_t requests = 0;
  Sampling sampling([&](const Asked& asked) {
    ++requests;
    return well(asked);
  });
  BOOST_TEST(sampling.ask(2, {.responses = 1, .max_new_tokens = 32}).empty());
  BOOST_TEST(sampling.failed("prompt p0 has 9 tokens; with max_new_tokens 32 that passes the model's context of 40"),
             sampling.error);
  BOOST_TEST(requests == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_recipe_alone_shows_to_be_wrong_is_said) {
  plumb::testing::PluginUnderTest plugin;
  const auto said = [&](std::vector<Value::Entry> more) {
    Value params = Value::map({{"url", "http://127.0.0.1:9"}, {"model", "m"}});
    for (Value::Entry& entry : more) params.set(entry.key, std::move(entry.value));
    try {
      for (const auto& entry : plugin.registrar.entries()) entry->check(params);
    } catch (const plumb::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  BOOST_TEST(said({}).empty());
  BOOST_TEST(has(said({{"url", "nonsense"}}), "wanted https://HOST"));
  BOOST_TEST(has(said({{"url", "http://127.0.0.1:9/v1/"}}), "leave out /v1"));
  BOOST_TEST(has(said({{"url", ""}}), "give it, or url_from"));
  BOOST_TEST(has(said({{"url_from", "SERVER"}}), "not both"));
  BOOST_TEST(has(said({{"dialect", "tgi"}}), "vllm, sglang, llama.cpp"));
  BOOST_TEST(has(said({{"model", ""}}), "wants the name that it serves"));
  BOOST_TEST(has(said({{"dialect", "sglang"}}), "leave it out"));
  BOOST_TEST(has(said({{"key_from", "sk-secret"}}), "not the key itself"));
  BOOST_TEST(has(said({{"url", "http://far.example.org"}, {"key_from", "KEY"}}), "in the clear"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
