#include "framework/engine/modeling/model_weights.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/DeviceType.h>
#include <fmt/ranges.h>
#include <sys/mman.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <set>

#include "framework/engine/distributed/collective.h"
#include "framework/engine/modeling/cuda.h"
#include "framework/engine/modeling/quantised.h"
#include "plumb/error.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

// Weights that were read through a mapping of their file need not stay in memory beside what was made of them.
void page_out(const at::Tensor& tensor) {
  constexpr std::uintptr_t page = 4096;
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
  const std::uintptr_t first = (begin + page - 1) / page * page, last = (begin + tensor.nbytes()) / page * page;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address within the tensor
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_PAGEOUT);  // a hint: may fail
}

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string list_text(const std::vector<std::string>& names) {
  const std::size_t shown = std::min<std::size_t>(names.size(), 5);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < names.size()) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

// Tables that older versions of transformers saved although they follow from config.json.
bool is_old_buffer(const std::string& name) {
  for (const char* suffix : {".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"}) {
    if (name.ends_with(suffix)) return true;
  }
  return false;
}

void check_shape(const Parameter& parameter, const at::Tensor& tensor, const fs::path& folder) {
  if (tensor.sizes() == at::IntArrayRef(parameter.shape)) return;
  throw Error(ErrorCode::data, fmt::format("{}: tensor {} has shape {}; config.json makes it {}", folder.string(),
                                           parameter.name, shape_text(tensor.sizes()), shape_text(parameter.shape)));
}

// A tied head that was saved all the same.
bool is_tied_copy(Parameters& parameters, const std::string& name) {
  return name.ends_with(".weight") && parameters.find_linear(name.substr(0, name.size() - 7)) != nullptr;
}

template <class Draw>
at::Tensor draw(at::IntArrayRef shape, const Draw& value) {
  at::Tensor out = at::empty(shape, at::kFloat);
  auto* to = out.mutable_data_ptr<float>();
  const std::int64_t count = out.numel();
  at::parallel_for(0, (count + 1) / 2, 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pair = begin; pair < end; ++pair) {
      const auto [first, second] = value(static_cast<std::uint64_t>(pair));
      to[2 * pair] = static_cast<float>(first);
      if (2 * pair + 1 < count) to[2 * pair + 1] = static_cast<float>(second);
    }
  });
  return out;
}

at::Tensor draw_normal(at::IntArrayRef shape, double std, const Random& random) {
  return draw(shape, [&](std::uint64_t pair) {  // Box-Muller
    const double radius = std * std::sqrt(-2 * std::log(1 - random.uniform_at(2 * pair)));
    const double angle = 2 * std::numbers::pi * random.uniform_at(2 * pair + 1);
    return std::pair{radius * std::cos(angle), radius * std::sin(angle)};
  });
}

}  // namespace

TensorPlace tensor_place(const Placement& placement) {
  // A backend that a program has added to LibTorch has a name there. No recipe can say it: device_choices() has it not.
  const bool added = c10::is_privateuse1_backend_registered() && placement.device == c10::get_privateuse1_backend(true);
  const Placement checked = Placement::params().parse(Value::map(
      {{"dtype", placement.dtype}, {"device", added ? "cpu" : placement.device}, {"weights", placement.weights}}));
  const at::ScalarType type = checked.dtype == "float32" ? at::kFloat : at::kBFloat16;
  if (added) return {type, at::Device(at::kPrivateUse1, 0)};
  const DeviceName device = parse_device(checked.device).value();
  if (!device.cuda) return {type, at::Device(at::kCPU)};
  const Collective& group = ranks();
  if (!group.alone() && checked.device != "cuda") {
    throw Error(ErrorCode::recipe, fmt::format("device {} with {} ranks: each needs a GPU of its own; write `cuda`",
                                               checked.device, group.world()));
  }
  const int index = group.alone() ? device.index : group.local_rank();
  require_cuda(index);
  return {type, at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index))};
}

bool is_value_head(const std::string& tensor) {
  return tensor.starts_with("v_head.");
}

void check_sizes(const Value& config, const std::map<std::string, at::Tensor>& tensors) {
  std::int64_t largest = 0;
  for (const auto& [name, tensor] : tensors) largest = std::max(largest, tensor.numel());
  const auto check = [&](const char* key, std::int64_t most, const char* what) {
    const Value* value = config.find(key);
    if (value == nullptr || value->type() != Value::Type::integer || value->as_int() <= most) return;
    throw Error(ErrorCode::data, fmt::format("config.json: \"{}\" is {}, but {} {}", key, value->as_int(), what, most));
  };
  for (const char* key : {"num_hidden_layers", "num_layers", "n_layer", "n_layers"}) {
    check(key, static_cast<std::int64_t>(tensors.size()), "the number of tensors in the weights is");
  }
  for (const char* key : {"hidden_size", "intermediate_size", "head_dim", "num_attention_heads", "num_key_value_heads",
                          "vocab_size", "n_embd", "n_head", "n_inner"}) {
    check(key, largest, "the largest tensor of the weights has a size of");
  }
}

void fill_parameters(Parameters& parameters, const std::map<std::string, at::Tensor>& tensors, const TensorPlace& place,
                     bool own, const fs::path& folder, const std::set<std::string>& quantised) {
  std::vector<std::string> missing, extra;
  for (const Parameter* parameter : parameters.all()) {
    const auto found = tensors.find(parameter->name);
    if (found == tensors.end()) {
      missing.push_back(parameter->name);
      continue;
    }
    const at::Tensor& tensor = found->second;
    check_shape(*parameter, tensor, folder);
    if (!tensor.is_floating_point()) {
      throw Error(ErrorCode::data, fmt::format("{}: tensor {} holds {}; floating-point numbers are wanted",
                                               folder.string(), parameter->name, c10::toString(tensor.scalar_type())));
    }
    if (quantised.contains(parameter->name)) {
      const QuantisedRows rows = quantise_rows(tensor);
      *parameter->tensor = rows.values.to(place.device);
      parameters.find_linear(parameter->name.substr(0, parameter->name.size() - 7))->weight_scale =
          rows.scale.to(place.device);
      page_out(tensor);
      continue;
    }
    *parameter->tensor = tensor.to(place.device, place.type, false, own);
  }
  for (const auto& [name, tensor] : tensors) {
    if (parameters.find(name) == nullptr && !is_old_buffer(name) && !is_value_head(name) &&
        !is_tied_copy(parameters, name))
      extra.push_back(name);
  }
  if (missing.empty() && extra.empty()) return;
  std::string text = folder.string() + ": the tensors do not fit config.json:";
  if (!missing.empty()) text += fmt::format(" {} missing ({})", missing.size(), list_text(missing));
  if (!extra.empty())
    text += fmt::format("{} {} unknown ({})", missing.empty() ? "" : ",", extra.size(), list_text(extra));
  if (tensors.contains("score.weight")) text += ". With score.weight it is a reward model, not a language model";
  throw Error(ErrorCode::data, text);
}

void draw_parameter(const Parameter& parameter, const Random& random, const TensorPlace& place) {
  *parameter.tensor =
      parameter.init_std > 0
          ? draw_normal(parameter.shape, parameter.init_std, random.derive(parameter.name)).to(place.device, place.type)
          : at::full(parameter.shape, parameter.init_fill, at::TensorOptions(place.type).device(place.device));
}

void draw_parameters(Parameters& parameters, const Random& random, const TensorPlace& place) {
  for (const Parameter* parameter : parameters.all()) draw_parameter(*parameter, random, place);
}

at::Tensor draw_uniform(at::IntArrayRef shape, double bound, const Random& random) {
  return draw(shape, [&](std::uint64_t pair) {
    return std::pair{bound * (2 * random.uniform_at(2 * pair) - 1), bound * (2 * random.uniform_at(2 * pair + 1) - 1)};
  });
}

}  // namespace plumb
