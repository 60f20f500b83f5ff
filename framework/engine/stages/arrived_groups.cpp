#include "framework/engine/stages/arrived_groups.h"

#include "framework/core/artifacts/records_file.h"

namespace plumb {

ArrivedGroups::ArrivedGroups(std::filesystem::path file, Host& host)
    : file_(std::move(file)), rows_(std::make_unique<CheckedRows>(file_)) {
  if (!rows_->damage().empty()) host.log(LogLevel::warning, rows_->damage());
  if (rows_->count() == 0) return;
  for (ResponseGroup& group : read_groups(file_).value()) {
    const std::string prompt = group.prompt.id;
    groups_.insert_or_assign(prompt, std::move(group));
  }
}

std::optional<ResponseGroup> ArrivedGroups::take(const std::string& prompt) {
  auto found = groups_.extract(prompt);
  return found.empty() ? std::nullopt : std::optional(std::move(found.mapped()));
}

void ArrivedGroups::keep(const ResponseGroup& group) {
  rows_->write(to_value(group));
  rows_->end_block(true);
}

void ArrivedGroups::forget() {
  rows_.reset();
  std::filesystem::remove(file_);
  std::filesystem::remove(file_.string() + ".sums");
  rows_ = std::make_unique<CheckedRows>(file_);
}

}  // namespace plumb
