#include "plumb/placement.h"

#include <algorithm>

namespace plumb {
inline namespace v1 {
namespace {

constexpr int kLargestNumber = 127;  // LibTorch counts devices in a signed byte

std::optional<int> small_number(std::string_view digits) {
  if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  int number = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = 10 * number + (digit - '0');
  }
  return number <= kLargestNumber ? std::optional(number) : std::nullopt;
}

}  // namespace

Params<Placement> Placement::params() {
  Params<Placement> p{"where a model computes and in what numbers"};
  p.add(&Placement::dtype, "dtype", "of weights and activations; sums, losses, moments and adapters are float32")
      .choices({"float32", "bfloat16"});
  p.add(&Placement::device, "device", "what computes: cpu, cuda (the first GPU) or cuda:N").choices(device_choices());
  p.add(&Placement::weights, "weights",
        "full, or int8: linear layers as 8-bit rows with a scale each; they can be used and adapted, not trained")
      .choices({"full", "int8"});
  return p;
}

const std::vector<std::string>& device_choices() {
  static const std::vector<std::string> choices{"cpu", "cuda", "cuda:N"};
  return choices;
}

std::optional<DeviceName> parse_device(std::string_view text) {
  if (!is_choice(device_choices(), text)) return std::nullopt;
  const auto colon = text.find(':');
  return DeviceName{text.starts_with("cuda"),
                    colon == std::string_view::npos ? 0 : *small_number(text.substr(colon + 1))};
}

bool is_choice(const std::vector<std::string>& choices, std::string_view value) {
  return std::any_of(choices.begin(), choices.end(), [&](std::string_view choice) {
    if (!choice.ends_with(":N")) return choice == value;
    choice.remove_suffix(1);
    return value.starts_with(choice) && small_number(value.substr(choice.size())).has_value();
  });
}

}  // namespace v1
}  // namespace plumb
