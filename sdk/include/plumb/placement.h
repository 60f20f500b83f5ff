// Where a model computes and in what numbers: three parameters with one grammar, spliced into every stage, component
// and command that opens a model.
//
//   struct Settings {
//     std::string path;
//     plumb::Placement placement;
//   };
//   plumb::Params<Settings> params() {
//     plumb::Params<Settings> p{"answers with the model of a folder"};
//     p.add(&Settings::path, "path", "the model's folder").path();
//     p.include(&Settings::placement, plumb::Placement::params());  // dtype, device, weights
//     return p;
//   }
//   std::unique_ptr<plumb::PolicyHandle> open(plumb::LanguageModels& models, const Settings& settings) {
//     return models.open_policy(settings.path, {.placement = settings.placement});
//   }
//
// A parameter whose choices are device_choices() is a device: a recipe that names one which this machine does not have
// is refused before anything runs.
// Thread contract: plain values; functions are [any].
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/params.h"

namespace plumb {
inline namespace v1 {

struct Placement {
  std::string dtype = "float32";  // float32, bfloat16: of weights, activations, keys and values
  std::string device = "cpu";     // cpu, cuda, cuda:N
  std::string weights = "full";   // full, int8: linear layers in 8-bit rows, each with a scale; frozen

  static Params<Placement> params();
  [[nodiscard]] bool int8() const { return weights == "int8"; }
};

// {"cpu", "cuda", "cuda:N"}
const std::vector<std::string>& device_choices();

struct DeviceName {
  bool cuda = false;
  int index = 0;  // of `cuda` alone 0
};
// Nothing for a text that is none of device_choices(). N has no leading zeros and is at most 127.
std::optional<DeviceName> parse_device(std::string_view text);

// Whether `value` is among the choices of a parameter. One that ends in ":N" stands for every whole number up to 127 in
// place of N.
bool is_choice(const std::vector<std::string>& choices, std::string_view value);

}  // namespace v1
}  // namespace plumb
