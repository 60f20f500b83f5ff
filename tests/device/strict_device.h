// An accelerator that is none, for tests of device code on any machine: LibTorch's PrivateUse1 backend under the name
// "strict". Its memory is closed to the host (PROT_NONE) but while one of its own kernels runs, so whoever reads a
// device's pointer on the host dies, as on a GPU. Kernels are the CPU's, on copies.
//
//   LanguageModel model = open_language_model(folder, registry, host, {.placement = {.device = "strict"}});
//   strict::reset_counts();
//   completion_logps(model, groups, {});
//   BOOST_TEST(strict::counts().uploads <= 3);
//
// What a blocking copy, a number that is read or an event that is waited for costs a GPU is counted as a sync. A
// non-blocking copy to the host arrives when something is waited for, and not before.
//
// Dry: nothing is computed. Results have their shapes and their memory is accounted, none is touched: the peak of a
// 7B model in a second. What comes to the host is zeros, a number that is read is 1.
//
// Thread contract: one caller; the engine's threads may take part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace plumb::strict {

struct Counts {
  std::map<std::string, std::int64_t> launches;  // by operator
  std::int64_t uploads = 0, downloads = 0, syncs = 0;
  std::size_t bytes = 0, peak = 0;  // held now, and at most

  [[nodiscard]] std::int64_t launched() const;
  [[nodiscard]] std::string text() const;  // one line for messages
};

// Since the program began or the last reset; a reset leaves `bytes` and sets the peak to them.
Counts counts();
void reset_counts();

// Before the first tensor of a program.
void set_dry();
bool dry();

}  // namespace plumb::strict
