#include "framework/core/report/report.h"

#include <map>
#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/catalogue/stage.h"
#include "framework/core/report/html.h"
#include "framework/core/report/sections.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

// What was read on the way to the items and of the items themselves, each once.
std::vector<std::pair<std::string, ArtifactManifest>> accounted(const ReportRequest& request) {
  std::vector<std::pair<std::string, ArtifactManifest>> stages;
  std::set<std::string> seen;
  for (const auto& [name, artifact] : request.items) seen.insert(artifact->manifest.key);
  for (const ArtifactManifest& manifest : request.made_from) {
    if (seen.insert(manifest.key).second) stages.emplace_back(manifest.stage, manifest);
  }
  for (const auto& [name, artifact] : request.items) stages.emplace_back(name, artifact->manifest);
  return stages;
}

class Ancestry {
 public:
  explicit Ancestry(std::vector<ArtifactManifest> all) {
    for (ArtifactManifest& manifest : all) known_.emplace(manifest.key, std::move(manifest));
  }
  void visit(const ArtifactManifest& manifest) {
    for (const auto& [param, key] : manifest.inputs) {
      const auto found = known_.find(key);
      if (found == known_.end() || !seen_.insert(key).second) continue;
      visit(found->second);
      out.push_back(found->second);
    }
  }
  std::vector<ArtifactManifest> out;

 private:
  std::map<std::string, ArtifactManifest> known_;
  std::set<std::string> seen_;
};

// Results before what led to them: from the last kind of the data flow to the first. Then stages that plugins provide.
void add_sections(Report& report, const std::vector<ReportItem>& items) {
  const std::vector<StageKind>& kinds = stage_catalogue();
  for (auto kind = kinds.rbegin(); kind != kinds.rend(); ++kind) {
    for (const ReportItem& item : items) {
      if (kind->report.section && item.artifact.manifest.stage_kind == kind->kind) kind->report.section(report, item);
    }
  }
  for (const ReportItem& item : items) {
    if (find_stage_kind(item.artifact.manifest.stage_kind) == nullptr) add_summary(report, item);
  }
}

Report report_of(const ReportRequest& request) {
  std::vector<ReportItem> items, evaluations, models;
  for (const auto& [name, artifact] : request.items) {
    const ReportItem item{name, *artifact};
    const std::string& type = artifact->manifest.type;
    items.push_back(item);
    if (type == artifact_type::metrics) evaluations.push_back(item);
    if (type == artifact_type::model || type == artifact_type::reward_model) models.push_back(item);
  }
  Report report;
  report.page.title = request.title.empty() ? "Report" : request.title;
  add_sections(report, items);
  add_answers(report, evaluations, request.examples);
  add_training(report, models);
  add_rows(report, accounted(request));
  add_timings(report, items);
  report.text = printable(report.text);
  return report;
}

}  // namespace

std::vector<ArtifactManifest> ancestors(const std::vector<std::pair<std::string, const Artifact*>>& items) {
  if (items.empty()) return {};
  Ancestry ancestry(ArtifactStore(items.front().second->folder.parent_path()).all());
  for (const auto& [name, artifact] : items) ancestry.visit(artifact->manifest);
  return std::move(ancestry.out);
}

Result<Report> write_report(const ReportRequest& request) {
  try {
    return report_of(request);
  } catch (const Error& of_a_section) {
    return of_a_section;
  }
}

Result<void> save_report(const Report& report, const fs::path& folder) {
  std::error_code failed;
  fs::remove_all(folder / "data", failed);
  fs::create_directories(folder / "data", failed);
  if (failed) return Error(ErrorCode::data, (folder / "data").string() + ": " + failed.message());
  for (const auto& [name, csv] : figure_data(report.page)) {
    if (auto done = write_file(folder / "data" / name, csv); !done) return done;
  }
  for (const auto& [name, text] :
       {std::pair{"report.md", to_markdown(report.page)}, std::pair{"report.html", to_html(report.page)},
        std::pair{"report.txt", report.text}}) {
    if (auto done = write_file(folder / name, text); !done) return done;
  }
  return {};
}

}  // namespace plumb
