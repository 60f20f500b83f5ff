// Stage `report`: what came out of the stages it names, as report.html, report.md and, for the terminal, report.txt.
#include "framework/core/report/report.h"

#include "framework/core/catalogue/settings.h"
#include "framework/core/door/bodies.h"

namespace plumb {

void run_report(StageContext& context) {
  const ReportSettings settings = report_params().parse(context.params());
  const Report report = write_report({.title = settings.title,
                                      .items = context.inputs("of"),
                                      .examples = {.count = static_cast<std::size_t>(settings.examples),
                                                   .prompts = settings.example_prompts},
                                      .made_from = ancestors(context.inputs("of"))})
                            .value();
  save_report(report, context.folder()).value();
}

}  // namespace plumb
