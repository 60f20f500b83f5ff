#include "sdk/check/tensor/batches.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

using Lengths = std::vector<std::int64_t>;

std::int64_t sum(const Lengths& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

at::Tensor leaf_of(const at::Tensor& value, at::ScalarType type) {
  return value.detach().to(type).clone().set_requires_grad(true);
}

const BatchForm& form_of_class(Optimizer& optimizer) {
  const BatchForm* form = nullptr;
  OptimizerClasses::visit(optimizer, [&]<class Class>(Class&) { form = &form_of<Class>(); });
  require(form != nullptr, "it derives from none of the classes that there are batches for");
  return *form;
}

std::size_t place_of(const Inputs& in, const std::string& leaf) {
  return static_cast<std::size_t>(std::find(in.names.begin(), in.names.end(), leaf) - in.names.begin());
}

}  // namespace

Lengths draw_lengths(Random random, std::int64_t count) {
  Lengths out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(1 + static_cast<std::int64_t>(random.below(6)));
  return out;
}

at::Tensor draw_margins(const Random& random, std::int64_t count) {
  at::Tensor margin = draw_uniform(random.derive("margin"), {count}, 0.1, 3);
  margin.select(0, 0).fill_(std::numeric_limits<double>::quiet_NaN());
  return margin;
}

void BatchWatch::add(const std::string& name, const at::Tensor& tensor) {
  if (tensor.defined()) seen_.push_back({name, tensor, bytes_of(tensor)});
}

std::string BatchWatch::written() const {
  for (const Seen& one : seen_) {
    if (bytes_of(one.tensor) != one.bytes) return one.name;
  }
  return {};
}

void Inputs::add_leaf(const std::string& name, const at::Tensor& values) {
  names.push_back(name);
  leaves.push_back(leaf_of(values, type));
}

void Inputs::add_numbers(const std::string& name, const Random& random, double low, double high) {
  add_leaf(name, draw_uniform(random.derive(name), {rows}, low, high));
}

void Inputs::add_logps(const std::string& name, const Random& random) {
  const Lengths& of = lengths[name] = draw_lengths(random.derive(name), rows);
  const auto draw = [&](const char* what) {
    return draw_uniform(random.derive(name).derive(what), {sum(of)}, -3, -0.1);
  };
  add_leaf(name, draw("values"));
  lengths["reference " + name] = of;
  constants["reference " + name] = draw("reference").to(type);
}

const at::Tensor& Inputs::leaf(const std::string& name) const {
  return leaves.at(place_of(*this, name));
}

Ragged Inputs::ragged_leaf(const std::string& name) const {
  return Ragged::of(leaf(name) * 1, lengths.at(name));
}

Ragged Inputs::ragged(const std::string& constant, const std::string& as) const {
  return Ragged::of(constants.at(constant).clone(), lengths.at(as));
}

void Inputs::set_leaf(const std::string& name, double value) {
  at::Tensor& values = leaves.at(place_of(*this, name));
  values = leaf_of(values.detach() * 0 + value, type);
}

Inputs Inputs::part(std::int64_t from, std::int64_t size) const {
  Inputs out = *this;
  if (form->together) {
    out.first = from;
    out.count = size;
    return out;
  }
  out.rows = size;
  out.share = form->mean ? static_cast<double>(size) / static_cast<double>(rows) : 1.0;
  const auto cut = [&](const std::string& name, const at::Tensor& whole) {
    const auto known = lengths.find(name);
    if (known == lengths.end()) return whole.detach().narrow(0, from, size);
    const auto at = known->second.begin() + from;
    out.lengths[name] = Lengths(at, at + size);
    return whole.detach().narrow(0, std::accumulate(known->second.begin(), at, std::int64_t{0}),
                                 sum(out.lengths[name]));
  };
  for (auto& [name, tensor] : out.constants) tensor = cut(name, tensor);
  for (std::size_t k = 0; k < leaves.size(); ++k) out.leaves[k] = leaf_of(cut(names[k], leaves[k]), type);
  return out;
}

std::vector<Inputs> Inputs::parts() const {
  std::vector<Inputs> out;
  if (form->part_rows == 0) return out;
  for (std::int64_t at = 0; at < rows; at += form->part_rows)
    out.push_back(part(at, std::min(form->part_rows, rows - at)));
  return out;
}

void Inputs::stretch(double size, double sign) {
  if (form->stretch != nullptr) form->stretch(*this, size, sign);
}

Inputs draw_inputs(Optimizer& optimizer, const Context& c, std::int64_t count, at::ScalarType type,
                   std::uint64_t number) {
  Inputs in;
  in.form = &form_of_class(optimizer);
  in.type = type;
  in.rows = in.count = count;
  Random random = c.random().derive("batch");
  if (number > 0) random = random.derive(number);
  in.form->draw(in, c, random);
  return in;
}

Loss loss_on(Optimizer& optimizer, const Context& c, const Inputs& in, std::string* written) {
  BatchWatch watch;
  Loss loss = in.form->loss(optimizer, c, in, watch);
  if (written != nullptr) *written = watch.written();
  return loss;
}

}  // namespace plumb::check
