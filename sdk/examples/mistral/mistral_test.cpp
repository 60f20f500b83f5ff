#include <ATen/TensorOperators.h>
#include <plumb/tensor/testing.h>
#include <plumb/testing_checks.h>

namespace {

plumb::Value config(std::int64_t layers, plumb::Value window) {
  return plumb::Value::map({{"num_hidden_layers", layers},
                            {"hidden_size", 16},
                            {"num_attention_heads", 4},
                            {"num_key_value_heads", 2},
                            {"intermediate_size", 24},
                            {"vocab_size", 13},
                            {"sliding_window", std::move(window)}});
}

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

}  // namespace

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  using plumb::testing::ModelUnderTest;

  // A token reaches layers · (window − 1) tokens back: with one layer and a window of 2, one token.
  ModelUnderTest near(plugin, "mistral", config(1, 2));
  const at::Tensor one = near.logits({3, 1, 4, 1}), other = near.logits({7, 9, 4, 1});
  check.near(largest(one[3] - other[3]), 0, 1e-12, "what lies outside of the window changes nothing");
  check.that(largest(one[2] - other[2]) > 1e-6, "what lies inside does");

  ModelUnderTest two(plugin, "mistral", config(2, 2));
  check.near(largest(two.logits({3, 1, 4, 1})[3] - two.logits({7, 1, 4, 1})[3]), 0, 1e-12, "two layers reach two back");
  check.that(largest(two.logits({3, 1, 4, 1})[3] - two.logits({3, 9, 4, 1})[3]) > 1e-9, "and see the second");

  ModelUnderTest wide(plugin, "mistral", config(2, 64)), full(plugin, "mistral", config(2, {}));
  check.near(largest(wide.logits({3, 1, 4}) - full.logits({3, 1, 4})), 0, 1e-12, "a wide window is none");

  for (plumb::Parameter* parameter : two.parameters.all()) {
    const auto loss = [&] { return two.logits({3, 1, 4}).square().sum(); };
    check.near(plumb::testing::gradient_error(*parameter->tensor, loss), 0, 1e-5, "gradient of " + parameter->name);
  }
  check.throws(
      plumb::ErrorCode::data,
      [&] {
        plumb::Value odd = config(1, 2);
        odd.set("num_key_value_heads", 3);
        ModelUnderTest(plugin, "mistral", odd);
      },
      "heads that do not divide");
  return check.status();
}
