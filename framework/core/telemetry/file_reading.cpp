#include "framework/core/telemetry/file_reading.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

namespace plumb {
namespace {

class Shown {
 public:
  Shown(Progress::Form form, std::ostream* screen)
      : settings_{.form = form == Progress::Form::json ? Progress::Form::quiet : form, .screen = screen} {}

  void read(const std::filesystem::path& file, std::uint64_t done, std::uint64_t total) {
    if (total < shown_from) return;
    const std::string name = "hashing " + file.filename().string();
    if (file != file_) {
      file_ = file;
      progress_.emplace(settings_);
      progress_->stage_started(name, 0, 0);
    }
    progress_->update("MiB", done >> 20, total >> 20);
    if (done < total) return;
    progress_->stage_finished(name, fmt::format("{} MiB", total >> 20));
    progress_.reset();
    file_.clear();
  }

 private:
  Progress::Settings settings_;
  std::filesystem::path file_;  // that is being read
  std::optional<Progress> progress_;
};

}  // namespace

FileReading show_reading(Progress::Form form, std::ostream* screen) {
  return [shown = std::make_shared<Shown>(form, screen)](const std::filesystem::path& file, std::uint64_t done,
                                                         std::uint64_t total) { shown->read(file, done, total); };
}

}  // namespace plumb
