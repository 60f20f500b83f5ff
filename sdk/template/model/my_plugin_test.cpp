#include <ATen/TensorOperators.h>
#include <plumb/tensor/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const plumb::Value config = plumb::Value::map({{"num_hidden_layers", 2},
                                                 {"hidden_size", 8},
                                                 {"num_attention_heads", 2},
                                                 {"intermediate_size", 12},
                                                 {"vocab_size", 11}});
  plumb::testing::ModelUnderTest model(plugin, "my-plugin", config);

  const at::Tensor logits = model.logits({3, 1, 4, 1, 5});
  check.that(logits.sizes() == at::IntArrayRef({5, 11}), "logits are [tokens, vocabulary]");
  const at::Tensor prefix = model.logits({3, 1, 4});
  check.near((logits.narrow(0, 0, 3) - prefix).abs().max().item<double>(), 0, 1e-12, "no token sees later ones");
  const at::Tensor other = model.logits({7, 1, 4});
  check.that((other - prefix).abs().min().item<double>() > 0, "every token sees the first one");

  for (plumb::Parameter* parameter : model.parameters.all()) {
    const auto loss = [&] { return model.logits({3, 1, 4}).square().sum(); };
    const double error = plumb::testing::gradient_error(*parameter->tensor, loss);
    check.near(error, 0, 1e-5, "gradient of " + parameter->name);
  }
  return check.status();
}
