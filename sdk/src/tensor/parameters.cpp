#include "plumb/tensor/parameters.h"

#include <deque>
#include <unordered_map>

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {

// Deques, because models keep references to what was declared. A table lives in the weight of a Linear of its own: a
// tied head is then that very Linear, and filling the table fills the head.
struct Parameters::Store {
  std::deque<Parameter> parameters;
  std::deque<Linear> linears;
  std::deque<at::Tensor> vectors;
  std::unordered_map<std::string, Parameter*> by_name;
  std::unordered_map<std::string, Linear*> linear_by_name, table_by_name;
  std::vector<std::string> linear_names;

  void declare(Parameter parameter) {
    const auto [place, fresh] = by_name.try_emplace(parameter.name, nullptr);
    if (!fresh) throw Error(ErrorCode::plugin, "the model declares parameter \"" + parameter.name + "\" twice");
    parameters.push_back(std::move(parameter));
    place->second = &parameters.back();
  }

  void name_linear(const std::string& name, Linear& layer) {
    if (!linear_by_name.try_emplace(name, &layer).second) {
      throw Error(ErrorCode::plugin, "the model declares linear layer \"" + name + "\" twice");
    }
    linear_names.push_back(name);
  }
};

Parameters::Parameters() : store_(std::make_unique<Store>()) {}
Parameters::~Parameters() = default;

const Linear& Parameters::linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias,
                                 double init_std) {
  Linear& layer = store_->linears.emplace_back();
  store_->name_linear(name, layer);
  store_->declare({name + ".weight", {out, in}, init_std, 0, true, &layer.weight});
  if (bias) store_->declare({name + ".bias", {out}, 0, 0, false, &layer.bias});
  return layer;
}

const at::Tensor& Parameters::embedding(const std::string& name, std::int64_t rows, std::int64_t width,
                                        double init_std) {
  Linear& holder = store_->linears.emplace_back();
  store_->declare({name, {rows, width}, init_std, 0, true, &holder.weight});
  store_->table_by_name.emplace(name, &holder);
  return holder.weight;
}

const at::Tensor& Parameters::vector(const std::string& name, std::int64_t size, double fill) {
  at::Tensor& value = store_->vectors.emplace_back();
  store_->declare({name, {size}, 0, fill, false, &value});
  return value;
}

const Linear& Parameters::tied(const std::string& name, const std::string& embedding) {
  const auto table = store_->table_by_name.find(embedding);
  if (table == store_->table_by_name.end()) {
    throw Error(ErrorCode::plugin,
                "\"" + name + "\" is tied to \"" + embedding + "\", which is no embedding declared before it");
  }
  store_->name_linear(name, *table->second);
  return *table->second;
}

std::vector<Parameter*> Parameters::all() {
  std::vector<Parameter*> out;
  out.reserve(store_->parameters.size());
  for (Parameter& parameter : store_->parameters) out.push_back(&parameter);
  return out;
}

Parameter* Parameters::find(const std::string& name) {
  const auto found = store_->by_name.find(name);
  return found == store_->by_name.end() ? nullptr : found->second;
}

Linear* Parameters::find_linear(const std::string& name) {
  const auto found = store_->linear_by_name.find(name);
  return found == store_->linear_by_name.end() ? nullptr : found->second;
}

std::vector<std::string> Parameters::linear_names() const {
  return store_->linear_names;
}

}  // namespace v1
}  // namespace plumb
