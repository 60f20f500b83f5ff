// Adapters that PEFT saved: the greedy text is PEFT's own (want.json), where the shared cases are.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "framework/engine/modeling/grouped_forward.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

std::vector<TokenId> greedy(LanguageModel& model, const std::string& text, std::size_t count) {
  const at::NoGradGuard no_gradients;
  std::vector<std::vector<TokenId>> row{model.tokenizer->encode_with_special(text)};
  row[0].insert(row[0].begin(), written_bos(*model.tokenizer).value());
  const std::size_t prompt = row[0].size();
  while (row[0].size() < prompt + count) {
    const at::Tensor last = full_logits(model, row);
    row[0].push_back(static_cast<TokenId>(last[last.size(0) - 1].argmax().item<std::int64_t>()));
  }
  return {row[0].begin() + static_cast<std::ptrdiff_t>(prompt), row[0].end()};
}

constexpr const char* kPrompt = "Once upon a time, there was a little girl";
const std::vector<std::string> computed{"adapter-dora-missing-feature", "adapter-rank-pattern-missing-feature",
                                        "adapter-save-head-missing-feature", "adapter-pissa"};

}  // namespace

BOOST_AUTO_TEST_SUITE(adapters_of_peft)

BOOST_DATA_TEST_CASE(greedy_text_is_that_of_peft, boost::unit_test::data::make(computed), name) {
  const std::filesystem::path folder = shared_data("cases/" + name);
  if (folder.empty()) return;
  const std::vector<TokenId> wanted = ids_of(parse_json(read_file(folder / "want.json").value()));
  for (const bool merge : {false, true}) {
    LanguageModel model = open_language_model(folder / "model", plugins(), host(), {.merge_adapter = merge});
    BOOST_TEST(greedy(model, kPrompt, wanted.size()) == wanted, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(adapters_that_wait_for_a_token_are_refused) {
  const std::filesystem::path folder = shared_data("cases/adapter-alora");
  if (folder.empty()) return;
  BOOST_CHECK_EXCEPTION(open_language_model(folder / "model", plugins(), host(), {}), Error, [](const Error& error) {
    return std::string(error.what()).find("\"alora_invocation_tokens\"") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()
