// The entry macro of a plugin.
//
//   #include <plumb/selection_policy.h>
//   #include <plumb/plugin.h>
//
//   PLUMB_PLUGIN(registrar, "org.example.reward-gap", "1.0.0", "Apache-2.0",
//                "pairs by their reward gap" PLUMB_STATUS("experimental")) {
//     registrar.add<RewardGap>("reward-gap").yields({"pairs"});
//   }
//
// The id is a reverse domain name: unique, never reused. The version is semantic. A plugin that includes a header of
// plumb/tensor carries the LibTorch version in its fingerprint; any other carries torch=none and survives LibTorch
// upgrades. Use the macro once per shared library. Registration must be fast and silent: no threads, files, output,
// environment or locale changes.
#pragma once

#include <cstring>
#include <exception>

#include "plumb/abi.h"
#include "plumb/registrar.h"

#ifndef PLUMB_ABI_TORCH
#define PLUMB_ABI_TORCH "none"
#endif

namespace plumb::abi {
// Exists only in a host of the same SDK: a plugin of another one fails to link at dlopen with this name in the message.
extern const int sdk_1;
}  // namespace plumb::abi

// How far the parameters and outputs of the plugin's components are settled, behind the summary: "stable" (they change
// with a major version only) or "experimental" (with any version). `plumb plugins list` shows it.
#define PLUMB_STATUS(status) "\nstatus=" status

#define PLUMB_EXPORT extern "C" __attribute__((visibility("default"), used, retain))

// Manifest text: id, version, licence, summary, one a line; then what PLUMB_STATUS and PLUMB_REPLACES say.
#define PLUMB_PLUGIN(registrar, id, version, licence, summary)                                                    \
  static void plumb_register_components(::plumb::Registrar&);                                                     \
  namespace {                                                                                                     \
  constexpr char kPlumbFingerprint[] = PLUMB_ABI_FINGERPRINT(PLUMB_ABI_TORCH);                                    \
  constexpr char kPlumbManifest[] = "id=" id "\nversion=" version "\nlicence=" licence "\nsummary=" summary "\n"; \
  __attribute__((section(".note.plumb"), aligned(4), used, retain)) constexpr auto kPlumbNote =                   \
      ::plumb::abi::make_note(PLUMB_ABI_FINGERPRINT(PLUMB_ABI_TORCH),                                             \
                              "id=" id "\nversion=" version "\nlicence=" licence "\nsummary=" summary "\n");      \
  __attribute__((used, retain)) const int* const kPlumbAnchor = &::plumb::abi::sdk_1;                             \
  int plumb_open(void* target, char* error, std::size_t error_size) noexcept {                                    \
    const char* text = "an exception that is no std::exception";                                                  \
    try {                                                                                                         \
      plumb_register_components(*static_cast<::plumb::Registrar*>(target));                                       \
      return 0;                                                                                                   \
    } catch (const std::exception& caught) {                                                                      \
      std::strncpy(error, caught.what(), error_size - 1);                                                         \
      error[error_size - 1] = '\0';                                                                               \
      return 1;                                                                                                   \
    } catch (...) {                                                                                               \
    }                                                                                                             \
    std::strncpy(error, text, error_size - 1);                                                                    \
    error[error_size - 1] = '\0';                                                                                 \
    return 1;                                                                                                     \
  }                                                                                                               \
  }                                                                                                               \
  PLUMB_EXPORT const ::plumb::abi::PluginEntry* plumb_plugin_entry_v1() {                                         \
    static constexpr ::plumb::abi::PluginEntry entry{::plumb::abi::kMagic, sizeof(::plumb::abi::PluginEntry),     \
                                                     kPlumbFingerprint, kPlumbManifest, &plumb_open};             \
    return &entry;                                                                                                \
  }                                                                                                               \
  static void plumb_register_components(::plumb::Registrar& registrar)
