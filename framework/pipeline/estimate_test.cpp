#include "framework/pipeline/estimate.h"

#include <boost/test/unit_test.hpp>

using plumb::Value;

BOOST_AUTO_TEST_SUITE(estimates)

// Published sizes: Llama-2-7B has 6,738,415,616 parameters, Pythia-6.9B 6,857,302,016.
BOOST_AUTO_TEST_CASE(known_models_have_their_known_sizes) {
  const Value llama = Value::map({{"model_type", "llama"},
                                  {"hidden_size", 4096},
                                  {"intermediate_size", 11008},
                                  {"num_hidden_layers", 32},
                                  {"num_attention_heads", 32},
                                  {"vocab_size", 32000}});
  BOOST_TEST(plumb::count_parameters(llama).value() == 6738415616U);
  const Value pythia = Value::map({{"model_type", "gpt_neox"},
                                   {"hidden_size", 4096},
                                   {"intermediate_size", 16384},
                                   {"num_hidden_layers", 32},
                                   {"num_attention_heads", 32},
                                   {"vocab_size", 50432}});
  BOOST_TEST(plumb::count_parameters(pythia).value() == 6857302016U);
}

BOOST_AUTO_TEST_CASE(grouped_heads_tied_heads_and_missing_sizes) {
  Value config = Value::map(
      {{"hidden_size", 64}, {"intermediate_size", 128}, {"num_hidden_layers", 1}, {"num_attention_heads", 4}});
  BOOST_TEST(!plumb::count_parameters(config).has_value());  // no vocabulary
  // embeddings and head 2·10·64, attention 4·64², inner layer 3·64·128, three norms of 64
  BOOST_TEST(plumb::count_parameters(config, 10).value() == 2U * 640 + 4 * 4096 + 3 * 8192 + 3 * 64);
  config.set("num_key_value_heads", 1);  // keys and values 64 × 16
  BOOST_TEST(plumb::count_parameters(config, 10).value() == 2U * 640 + 2 * 4096 + 2 * 1024 + 3 * 8192 + 3 * 64);
  config.set("tie_word_embeddings", true);
  BOOST_TEST(plumb::count_parameters(config, 10).value() == 640U + 2 * 4096 + 2 * 1024 + 3 * 8192 + 3 * 64);
  config.set("hidden_size", "large");
  BOOST_TEST(!plumb::count_parameters(config, 10).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
