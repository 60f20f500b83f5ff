// The report of a sweep's folder.
//
//   const Document page = sweep_page("runs/table-1", {.count = 20});
//   write_file("runs/table-1/report.html", to_html(page));
//
// Thread contract: as a verb.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include "framework/core/evaluation/comparison.h"
#include "framework/core/report/document.h"
#include "framework/core/report/examples.h"

namespace plumb::cli {

// `examples`: prompts whose answers are shown. `comparison`: that of all the sweep's runs with its baseline, where it
// is made already. A sweep that evaluates nothing has a page without measures. Throws Error(data) when no arm is done.
Document sweep_page(const std::filesystem::path& folder, const Examples& examples,
                    std::optional<Comparison> comparison = std::nullopt);

}  // namespace plumb::cli
