// Small pieces of arithmetic for the tests that see tensors.
//
// Thread contract: pure functions.
#pragma once

#include <string>

#include "plumb/random.h"
#include "plumb/tensor/torch.h"
#include "sdk/check/context.h"

namespace plumb::check {

at::Tensor draw_normal(Random random, at::IntArrayRef shape);                            // double
at::Tensor draw_uniform(Random random, at::IntArrayRef shape, double low, double high);  // double

// Of finite entries; infinite when the shapes differ. Entries that are not finite in both count as equal.
double largest_difference(const at::Tensor& a, const at::Tensor& b);

// The bytes of a tensor, for comparison.
std::string bytes_of(const at::Tensor& tensor);

Kind model_kind();
Kind optimizer_kind();

}  // namespace plumb::check
