// Kind `report`: what came out of the stages it names, as report.html, report.md and, for the terminal, report.txt.
#include "framework/core/report/report.h"

#include "framework/core/catalogue/declared.h"

namespace plumb {
namespace {

namespace type = artifact_type;

struct ReportSettings {         // stage: report
  std::vector<std::string> of;  // evaluations, pairs, trained models: everything to be shown
  std::string title;
  std::int64_t examples = 5;
  std::vector<std::string> example_prompts;  // ids, or how prompts begin
};

Declared<ReportSettings> declare_report() {
  Declared<ReportSettings> d{"one page on what the named stages gave"};
  auto& p = d.params;
  p.add(&ReportSettings::of, "of", "evaluations, pairs, trained models: everything to be shown").accepts({}).required();
  p.add(&ReportSettings::title, "title", "heading of the page");
  p.add(&ReportSettings::examples, "examples", "prompts shown with the answers of each model").at_least(0);
  p.add(&ReportSettings::example_prompts, "example_prompts",
        "these are shown in place of `examples` at even distances: ids of prompts, or how they begin");
  d.rule([](const ReportSettings& s) -> std::string {
    return s.of.empty() ? "of: the list is empty; name at least one stage" : "";
  });
  return d;
}

void run(StageContext& context) {
  const ReportSettings settings = declare_report().with_rules().parse(context.params());
  const Report report = write_report({.title = settings.title,
                                      .items = context.inputs("of"),
                                      .examples = {.count = static_cast<std::size_t>(settings.examples),
                                                   .prompts = settings.example_prompts},
                                      .made_from = ancestors(context.inputs("of"))})
                            .value();
  save_report(report, context.folder()).value();
}

StageKind make_kind() {
  StageKind kind = declare_report().kind("report", type::report);
  kind.revision = 4;
  kind.uses_seed = [](const Value&) { return false; };
  kind.body = run;
  return kind;
}

const KindRegistration registered(130, make_kind);

}  // namespace

}  // namespace plumb
