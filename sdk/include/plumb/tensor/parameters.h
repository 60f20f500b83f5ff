// The named weights of a model. A model declares what it needs under Hugging Face's names; the framework allocates,
// initialises, loads, saves, adapts and freezes them.
//
//   Block(plumb::Parameters& p, const std::string& name, const Shape& s)
//       : query(p.linear(name + ".self_attn.q_proj", s.hidden, s.hidden)),
//         norm(p.vector(name + ".input_layernorm.weight", s.hidden, 1.0)) {}
//
// References stay valid for the life of the Parameters object.
// Thread contract: [setup].
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plumb/tensor/linear.h"
#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

struct Parameter {
  std::string name;  // HF name, e.g. "model.layers.0.self_attn.q_proj.weight"
  std::vector<std::int64_t> shape;
  double init_std = 0;  // normal(0, init_std); 0: constant `init_fill`
  double init_fill = 0;
  bool decays = true;            // weight decay applies: not to biases and norms (HF's get_decay_parameter_names)
  at::Tensor* tensor = nullptr;  // where the value lives; undefined until the framework fills it
};

class Parameters {
 public:
  Parameters();
  ~Parameters();
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  // weight [out, in] normal(0, init_std) and, when asked, bias [out] zero.
  const Linear& linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias = false,
                       double init_std = 0.02);
  // table [rows, width], normal(0, init_std)
  const at::Tensor& embedding(const std::string& name, std::int64_t rows, std::int64_t width, double init_std = 0.02);
  // vector [size] filled with `fill`; norms and biases: no weight decay
  const at::Tensor& vector(const std::string& name, std::int64_t size, double fill);
  // A second name for one table (tied head): the Linear shares the embedding's tensor and is saved once.
  const Linear& tied(const std::string& name, const std::string& embedding);

  [[nodiscard]] std::vector<Parameter*> all();  // in declaration order
  [[nodiscard]] Parameter* find(const std::string& name);
  [[nodiscard]] Linear* find_linear(const std::string& name);  // "model.layers.0.self_attn.q_proj"
  [[nodiscard]] std::vector<std::string> linear_names() const;

 private:
  struct Store;
  std::unique_ptr<Store> store_;
};

}  // namespace v1
}  // namespace plumb
