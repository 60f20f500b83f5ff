// Which devices this machine has, as far as recipes name them.
//
//   if (const std::string why = missing_for_device("cuda:1"); !why.empty()) …    // "no NVIDIA driver (…); no libtorch…"
//
// Thread contract: [any].
#pragma once

#include <string>

namespace plumb {

// What the NVIDIA driver lacks for `cuda:index`, in one line; empty when it counts that GPU.
std::string missing_in_driver(int index);

// What a device lacks here, in one line; empty when it can be used. Opens the engine where the driver has the GPU.
// `device`: one of device_choices() (plumb/placement.h).
std::string missing_for_device(const std::string& device);

}  // namespace plumb
