// What is sent to each kind of server, and what its words become. The field names are those of the servers' sources.
#include <plumb/error.h>
#include <boost/test/unit_test.hpp>

#include "answer.h"
#include "dialect.h"

using namespace remote;
using plumb::Value;
using Ids = std::vector<plumb::TokenId>;

namespace {

Question asked() {
  return {.model = "m",
          .prompt = {1, 7, 8},
          .ends = {2},
          .vocabulary = 100,
          .max_new_tokens = 4,
          .temperature = 0.5,
          .top_k = 50,
          .top_p = 0.9,
          .seed = 0xfedcba9876543210};
}

Value sent(const Dialect& dialect, const Question& question) {
  return plumb::parse_json(dialect.body(question), "sent");
}

plumb::Response answered(const Dialect& dialect, const std::string& body, const Question& question = asked()) {
  return answer_of(dialect.read(body, question), question);
}

std::string refusal(const Dialect& dialect, const std::string& body, const Question& question = asked()) {
  try {
    answered(dialect, body, question);
  } catch (const plumb::Error& error) {
    return error.what();
  } catch (const NoAnswer& page) {
    return std::string("again: ") + page.what();
  }
  return "taken";
}

std::string of_vllm(const std::string& ids, const std::string& finish, const std::string& prompt = "[1,7,8]",
                    const std::string& by = "null") {
  return R"({"choices":[{"index":0,"text":"x","finish_reason":")" + finish + R"(","stop_reason":)" + by +
         R"(,"token_ids":)" + ids + R"(,"prompt_token_ids":)" + prompt + "}]}";
}

std::string of_llama(const std::string& ids, const std::string& stop, int read = 3, const std::string& more = "") {
  return R"({"content":"x","tokens":)" + ids + R"(,"stop_type":")" + stop + R"(","tokens_evaluated":)" +
         std::to_string(read) + more + "}";
}

std::string of_sglang(const std::string& ids, const std::string& finish, const std::string& matched = "2") {
  return R"({"text":"x","output_ids":)" + ids + R"(,"meta_info":{"prompt_tokens":3,"finish_reason":{"type":")" +
         finish + R"(","matched":)" + matched + "}}}";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dialects)

BOOST_AUTO_TEST_CASE(nothing_of_sampling_is_left_to_vllm) {
  BOOST_TEST(
      plumb::to_json(sent(vllm, asked()), true) ==
      R"({"add_special_tokens":false,"echo":false,"frequency_penalty":0.0,"ignore_eos":false,"max_tokens":4,)"
      R"("min_p":0.0,"min_tokens":0,"model":"m","n":1,"presence_penalty":0.0,"prompt":[1,7,8],)"
      R"("repetition_penalty":1.0,"return_token_ids":true,"seed":9141386507638288912,"skip_special_tokens":false,)"
      R"("stop":[],"stop_token_ids":[2],"stream":false,"temperature":0.5,"top_k":50,"top_p":0.9})");
  Question all = asked();
  all.top_k = 0;
  BOOST_TEST(sent(vllm, all).at("top_k").as_int() == -1);
  BOOST_TEST(vllm.target() == "/v1/completions");
}

BOOST_AUTO_TEST_CASE(nothing_of_sampling_is_left_to_llama_cpp) {
  const Value body = sent(llama_cpp, asked());
  BOOST_TEST(
      plumb::to_json(body, true) ==
      R"({"cache_prompt":true,"dry_multiplier":0.0,"dynatemp_range":0.0,"frequency_penalty":0.0,)"
      R"("ignore_eos":false,"logit_bias":[],"min_p":0.0,"mirostat":0,"model":"m","n_predict":4,)"
      R"("presence_penalty":0.0,"prompt":[1,7,8],"repeat_penalty":1.0,"return_tokens":true,)"
      R"("samplers":["temperature","top_k","top_p"],"seed":1985229328,"stop":[],"stream":false,"temperature":0.5,)"
      R"("top_k":50,"top_n_sigma":-1.0,"top_p":0.9,"typical_p":1.0,"xtc_probability":0.0})");
  Question greedy = asked();
  greedy.temperature = 0;
  BOOST_TEST(sent(llama_cpp, greedy).at("top_k").as_int() == 1);
  BOOST_TEST(llama_cpp.target() == "/completion");
}

BOOST_AUTO_TEST_CASE(nothing_of_sampling_is_left_to_sglang) {
  BOOST_TEST(plumb::to_json(sent(sglang, asked()), true) ==
             R"({"input_ids":[1,7,8],"sampling_params":{"frequency_penalty":0.0,"ignore_eos":false,"max_new_tokens":4,)"
             R"("min_new_tokens":0,"min_p":0.0,"n":1,"no_stop_trim":true,"presence_penalty":0.0,)"
             R"("repetition_penalty":1.0,"sampling_seed":1985229328,"skip_special_tokens":false,"stop_token_ids":[2],)"
             R"("temperature":0.5,"top_k":50,"top_p":0.9},"stream":false})");
  BOOST_TEST(sglang.target() == "/generate");
}

BOOST_AUTO_TEST_CASE(an_answer_holds_the_token_that_ended_it) {
  const auto is = [](const plumb::Response& response, const Ids& ids, plumb::FinishReason finish) {
    return response.ids == ids && response.finish == finish && response.text.empty();
  };
  using plumb::FinishReason;
  BOOST_TEST(is(answered(vllm, of_vllm("[5,6,2]", "stop")), {5, 6, 2}, FinishReason::stop));
  BOOST_TEST(is(answered(vllm, of_vllm("[5,6]", "stop")), {5, 6, 2}, FinishReason::stop));  // cut off there
  BOOST_TEST(is(answered(vllm, of_vllm("[]", "stop")), {2}, FinishReason::stop));
  BOOST_TEST(is(answered(vllm, of_vllm("[5,6,7,8]", "length")), {5, 6, 7, 8}, FinishReason::length));
  BOOST_TEST(is(answered(vllm, of_vllm("[5,6,7,2]", "length")), {5, 6, 7, 2}, FinishReason::stop));
  BOOST_TEST(is(answered(llama_cpp, of_llama("[5,2]", "eos")), {5, 2}, FinishReason::stop));
  BOOST_TEST(
      is(answered(llama_cpp, of_llama("[5,2,9,9]", "limit")), {5, 2}, FinishReason::stop));  // it knows no such end
  BOOST_TEST(is(answered(llama_cpp, of_llama("[5,6,7,8]", "limit")), {5, 6, 7, 8}, FinishReason::length));
  BOOST_TEST(is(answered(sglang, of_sglang("[5]", "stop")), {5, 2}, FinishReason::stop));
  BOOST_TEST(is(answered(sglang, of_sglang("[5,2]", "stop")), {5, 2}, FinishReason::stop));
  BOOST_TEST(is(answered(sglang, of_sglang("[5,6,7,8]", "length", "null")), {5, 6, 7, 8}, FinishReason::length));
  Question several = asked();
  several.ends = {2, 3};
  BOOST_TEST(is(answered(vllm, of_vllm("[5]", "stop", "[1,7,8]", "3"), several), {5, 3}, FinishReason::stop));
  BOOST_TEST(has(refusal(vllm, of_vllm("[5]", "stop"), several), "none of the 2 tokens that end"));
}

BOOST_AUTO_TEST_CASE(a_server_without_ids_is_refused) {
  for (const char* ids : {"null", "\"5 6\"", "[5,\"6\"]", "[-1]", "[5000000000]"}) {
    BOOST_TEST(has(refusal(vllm, of_vllm(ids, "stop")), "without token ids"), ids);
    BOOST_TEST(has(refusal(llama_cpp, of_llama(ids, "eos")), "without token ids"), ids);
    BOOST_TEST(has(refusal(sglang, of_sglang(ids, "stop")), "without token ids"), ids);
  }
  BOOST_TEST(has(refusal(vllm, of_vllm("[5]", "stop", "null")), "without token ids"));
  BOOST_TEST(
      has(refusal(llama_cpp, of_llama("[]", "eos")), "without token ids"));  // what one without return_tokens says
  BOOST_TEST(has(refusal(vllm, R"({"choices":[{"text":"x","finish_reason":"stop"}]})"), "return_token_ids"));
}

BOOST_AUTO_TEST_CASE(an_answer_to_another_prompt_is_refused) {
  BOOST_TEST(
      has(refusal(vllm, of_vllm("[2]", "stop", "[1,1,7,8]")), "read 4 tokens of the 3 sent, others from place 1"));
  BOOST_TEST(has(refusal(vllm, of_vllm("[2]", "stop", "[1,7]")), "others from place 2"));
  BOOST_TEST(has(refusal(llama_cpp, of_llama("[2]", "eos", 4)), "read 4 tokens for the 3 sent"));
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_model_or_length_is_refused) {
  BOOST_TEST(has(refusal(vllm, of_vllm("[5,100,2]", "stop")), "drew token 100, but the model has 100"));
  BOOST_TEST(has(refusal(vllm, of_vllm("[5,6,7,8,9]", "length")), "gave 5 tokens, wanted at most 4"));
  BOOST_TEST(has(refusal(llama_cpp, of_llama("[5,6]", "limit")), "context is too short for 3 + 4"));
  BOOST_TEST(has(refusal(llama_cpp, of_llama("[5,6]", "eos")), "ended an answer at token 6"));
  BOOST_TEST(has(refusal(sglang, of_sglang("[5,6]", "stop", "6")), "ended an answer at token 6"));
}

BOOST_AUTO_TEST_CASE(a_llama_server_that_samples_otherwise_is_refused) {
  const std::string own = R"(,"generation_settings":{"top_k":40,"samplers":["top_k","top_p","temperature"]})";
  const std::string ours = R"(,"generation_settings":{"top_k":50,"samplers":["temperature","top_k","top_p"]})";
  BOOST_TEST(has(refusal(llama_cpp, of_llama("[2]", "eos", 3, own)), "samples otherwise"));
  BOOST_TEST(refusal(llama_cpp, of_llama("[2]", "eos", 3, ours)) == "taken");
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_asked_again) {
  for (const Dialect* dialect : {&vllm, &llama_cpp, &sglang}) {
    for (const char* body : {"<html>busy</html>", "[]", "{}", "{\"choices\":[]}"}) {
      BOOST_TEST(has(refusal(*dialect, body), "again: "), dialect->target() << " " << body);
    }
  }
  BOOST_TEST(has(refusal(vllm, of_vllm("[5]", "abort")), "again: "));
  BOOST_TEST(has(refusal(sglang, of_sglang("[5]", "abort", "null")), "again: "));
  BOOST_TEST(has(refusal(llama_cpp, of_llama("[5]", "none")), "again: "));
}

BOOST_AUTO_TEST_SUITE_END()
