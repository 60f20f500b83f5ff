#include "framework/engine/rollout/rollout.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/rollout/random_models.h"
#include "framework/engine/rollout/sampler.h"
#include "plumb/error.h"

namespace plumb {
namespace {

using test::random_policy;
using Responses = std::map<std::string, std::vector<SampledTokens>>;  // by prompt id

std::vector<TokenPrompt> some_prompts(std::size_t count) {
  std::vector<TokenPrompt> out;
  for (std::size_t i = 0; i < count; ++i) {
    Random random = Random(3).derive(i);
    TokenPrompt prompt{"prompt-" + std::to_string(i), {}};
    const std::size_t length = 1 + random.below(20);
    while (prompt.ids.size() < length) prompt.ids.push_back(static_cast<TokenId>(random.below(90)));
    out.push_back(std::move(prompt));
  }
  return out;
}

Sampling sampling_of(std::int64_t responses) {
  Sampling out;
  out.responses = responses;
  out.max_new_tokens = 24;
  out.temperature = 0.9;
  out.top_k = 30;
  out.top_p = 0.95;
  out.seed = 17;
  return out;
}

// EOS at any of several letters would be odd for a tokenizer; here it makes lengths differ.
const TokenLimits limits{.ends = {7}, .vocabulary = 0};

Responses sample(LanguageModel& policy, std::span<const TokenPrompt> prompts, const Sampling& sampling,
                 const RolloutOptions& options = {}, const TokenLimits& within = limits) {
  testing::FakeHost host;
  Responses out;
  sample_tokens(policy, prompts, sampling, within, options, host,
                [&](std::size_t i, std::vector<SampledTokens>&& responses) {
                  BOOST_TEST(out.count(prompts[i].id) == 0U);
                  out[prompts[i].id] = std::move(responses);
                });
  return out;
}

bool same(const Responses& a, const Responses& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first &&
           std::equal(x.second.begin(), x.second.end(), y.second.begin(), y.second.end(),
                      [](const auto& r, const auto& s) { return r.ids == s.ids && r.finish == s.finish; });
  });
}

// The definition: a forward pass over everything so far for every token.
SampledTokens plain_response(LanguageModel& policy, const TokenPrompt& prompt, const Sampling& sampling,
                             std::int64_t number) {
  SampledTokens out{{}, FinishReason::length};
  std::vector<std::vector<TokenId>> row{prompt.ids};
  const Random random = response_random(sampling.seed, prompt.id, number);
  while (static_cast<std::int64_t>(out.ids.size()) < sampling.max_new_tokens) {
    const at::Tensor logits = full_logits(policy, row)[-1].contiguous();
    out.ids.push_back(draw_token({logits.const_data_ptr<float>(), static_cast<std::size_t>(logits.numel())}, sampling,
                                 random.uniform_at(out.ids.size())));
    row[0].push_back(out.ids.back());
    if (out.ids.back() == limits.ends.front()) {
      out.finish = FinishReason::stop;
      break;
    }
  }
  return out;
}

BOOST_AUTO_TEST_SUITE(rollout)

BOOST_AUTO_TEST_CASE(responses_are_those_of_the_definition) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  const auto prompts = some_prompts(6);
  const Sampling sampling = sampling_of(5);
  const Responses got = sample(policy, prompts, sampling, {.rows = 7});
  BOOST_TEST_REQUIRE(got.size() == prompts.size());
  std::size_t stopped = 0, cut = 0;
  for (const TokenPrompt& prompt : prompts) {
    for (std::size_t r = 0; r < 5; ++r) {
      const SampledTokens& response = got.at(prompt.id).at(r);
      const SampledTokens want = plain_response(policy, prompt, sampling, static_cast<std::int64_t>(r));
      BOOST_TEST(response.ids == want.ids, boost::test_tools::per_element());
      BOOST_TEST((response.finish == want.finish));
      (want.finish == FinishReason::stop ? stopped : cut) += 1;
    }
  }
  BOOST_TEST(stopped > 3U);
  BOOST_TEST(cut > 3U);
}

BOOST_AUTO_TEST_CASE(neither_rows_nor_order_nor_company_change_a_response) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  const auto prompts = some_prompts(12);
  const Sampling sampling = sampling_of(4);
  const Responses wanted = sample(policy, prompts, sampling, {.rows = 128});
  for (const std::int64_t rows : {1, 3, 16})
    BOOST_TEST(same(sample(policy, prompts, sampling, {.rows = rows}), wanted));
  BOOST_TEST(same(sample(policy, prompts, sampling, {.share_prompt = false}), wanted));
  auto reversed = prompts;
  std::reverse(reversed.begin(), reversed.end());
  BOOST_TEST(same(sample(policy, reversed, sampling, {.rows = 10}), wanted));
  Responses alone;
  for (const TokenPrompt& prompt : prompts) alone.merge(sample(policy, {&prompt, 1}, sampling));
  BOOST_TEST(same(alone, wanted));
  Sampling fewer = sampling;
  fewer.responses = 2;
  for (const auto& [id, responses] : sample(policy, prompts, fewer)) {
    for (std::size_t r = 0; r < 2; ++r) BOOST_TEST((responses[r].ids == wanted.at(id)[r].ids));
  }
  Sampling other = sampling;
  other.seed = 18;
  BOOST_TEST(!same(sample(policy, prompts, other), wanted));
}

BOOST_AUTO_TEST_CASE(greedy_responses_are_all_the_same) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  Sampling sampling = sampling_of(3);
  sampling.temperature = 0;
  const auto prompts = some_prompts(2);
  for (const auto& [id, responses] : sample(policy, prompts, sampling)) {
    BOOST_TEST_REQUIRE(responses.size() == 3U);
    BOOST_TEST((responses[0].ids == responses[2].ids));
  }
}

BOOST_AUTO_TEST_CASE(rows_of_a_padded_head_are_never_drawn) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  Sampling sampling = sampling_of(8);
  sampling.top_k = 0;
  sampling.top_p = 1;
  sampling.temperature = 50;  // nearly uniform
  const auto greatest = [&](const TokenLimits& within) {
    TokenId most = 0;
    for (const auto& [id, responses] : sample(policy, some_prompts(8), sampling, {}, within)) {
      for (const auto& response : responses)
        most = std::max(most, *std::max_element(response.ids.begin(), response.ids.end()));
    }
    return most;
  };
  BOOST_TEST(greatest({.ends = {}, .vocabulary = 60}) == 59);
  BOOST_TEST(greatest({.ends = {}, .vocabulary = 0}) == 103);
}

BOOST_AUTO_TEST_CASE(any_end_token_stops_a_response_and_is_kept) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  Sampling sampling = sampling_of(8);
  sampling.top_k = 0;
  sampling.top_p = 1;
  const TokenLimits within{.ends = {7, 11, 12}, .vocabulary = 0};
  std::size_t stopped = 0;
  for (const auto& [id, responses] : sample(policy, some_prompts(8), sampling, {}, within)) {
    for (const SampledTokens& response : responses) {
      const auto ends = [&](TokenId token) { return token == 7 || token == 11 || token == 12; };
      const auto count = std::count_if(response.ids.begin(), response.ids.end(), ends);
      BOOST_TEST(count == (response.finish == FinishReason::stop ? 1 : 0));
      BOOST_TEST(ends(response.ids.back()) == (response.finish == FinishReason::stop));
      stopped += response.ids.back() == 11 || response.ids.back() == 12 ? 1U : 0U;
    }
  }
  BOOST_TEST(stopped > 0U);
}

BOOST_AUTO_TEST_CASE(groups_carry_prompt_ids_and_texts) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  const std::vector<Prompt> prompts{{"a", {{"user", "name a fruit"}}, {}}, {"b", {{"user", "hello"}}, {}}};
  Sampling sampling = sampling_of(3);
  std::vector<ResponseGroup> groups(2);
  generate_responses(policy, prompts, sampling, {}, host,
                     [&](std::size_t i, ResponseGroup&& group) { groups[i] = std::move(group); });
  for (std::size_t i = 0; i < 2; ++i) {
    BOOST_TEST(groups[i].prompt.id == prompts[i].id);
    const auto rendered = policy.chat_format->render_prompt(*policy.tokenizer, prompts[i].messages).value();
    BOOST_TEST(groups[i].prompt_ids == rendered, boost::test_tools::per_element());
    BOOST_TEST(groups[i].responses.size() == 3U);
    for (const Response& response : groups[i].responses) {
      BOOST_TEST(response.text == policy.chat_format->parse_completion(*policy.tokenizer, response.ids));
      BOOST_TEST((response.finish == FinishReason::stop) == (response.ids.back() == 1));
      BOOST_TEST(!response.reward.has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_prompt_without_room_is_named_before_anything_is_drawn) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  const std::vector<Prompt> prompts{{"short", {{"user", "hi"}}, {}},
                                    {"long-one", {{"user", std::string(80, 'x')}}, {}}};
  const auto error_of = [&](LanguageModel& model, const Sampling& sampling) -> std::string {
    try {
      generate_responses(model, prompts, sampling, {}, host,
                         [](std::size_t, ResponseGroup&&) { BOOST_ERROR("drawn"); });
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string error = error_of(policy, sampling_of(2));
  BOOST_TEST(error.find("long-one") != std::string::npos, error);
  BOOST_TEST(error.find("96") != std::string::npos, error);
  policy.chat_format = nullptr;
  BOOST_TEST(error_of(policy, sampling_of(2)).find("chat format") != std::string::npos);
  Sampling wrong = sampling_of(2);
  wrong.top_p = 0;
  BOOST_CHECK_THROW(sample(policy, some_prompts(1), wrong), Error);
}

BOOST_AUTO_TEST_CASE(a_cancelled_host_ends_it_between_tokens) {
  testing::FakeHost host;
  LanguageModel policy = random_policy(host);
  const auto prompts = some_prompts(12);
  std::size_t finished = 0;
  sample_tokens(policy, prompts, sampling_of(2), limits, {.rows = 4}, host,
                [&](std::size_t, std::vector<SampledTokens>&&) { host.cancel = ++finished >= 3; });
  BOOST_TEST(finished >= 3U);
  BOOST_TEST(finished < 12U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
