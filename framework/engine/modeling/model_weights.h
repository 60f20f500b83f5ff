// Giving declared parameters their values: from a folder's tensors or from random numbers.
//
//   fill_parameters(parameters, read_model_tensors(folder).value(), tensor_place(placement), true, folder);
//
// Thread contract: [setup].
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "plumb/placement.h"
#include "plumb/random.h"
#include "plumb/tensor/parameters.h"
#include "plumb/value.h"

namespace plumb {

struct TensorPlace {
  at::ScalarType type;
  at::Device device;
};

// A device other than the CPU loads libtorch_cuda.so, which lies beside the LibTorch in use. Error(recipe) says what is
// allowed or missing.
TensorPlace tensor_place(const Placement& placement);

// Every parameter from the tensor of its name. Error(data) names tensors that are missing, superfluous, of another
// shape or no floating-point numbers. `own`: always copy; else a tensor that needs no conversion stays a view of the
// file. Those in `quantised` become 8-bit rows (quantised.h), one at a time.
void fill_parameters(Parameters& parameters, const std::map<std::string, at::Tensor>& tensors, const TensorPlace& place,
                     bool own, const std::filesystem::path& folder, const std::set<std::string>& quantised = {});

// What config.json's own numbers show before a model is made of them: more layers than tensors, or a size that no
// tensor has room for. Error(data) names the key.
void check_sizes(const Value& config, const std::map<std::string, at::Tensor>& tensors);

// TRL's value head (v_head.…), which has no part in the logits.
bool is_value_head(const std::string& tensor);

// Every parameter as declared: constant, or normal numbers that depend on `random`, the name and the place in the
// tensor.
void draw_parameters(Parameters& parameters, const Random& random, const TensorPlace& place);
void draw_parameter(const Parameter& parameter, const Random& random, const TensorPlace& place);

// [shape] float on the CPU, uniform in [-bound, bound).
at::Tensor draw_uniform(at::IntArrayRef shape, double bound, const Random& random);

}  // namespace plumb
