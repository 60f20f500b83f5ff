#include "framework/core/pipeline/stage_threads.h"

#include <fmt/format.h>

#include <charconv>

#include "framework/core/artifacts/disk.h"

namespace plumb {
namespace {

constexpr int most = 4096;  // a greater number was not written by us

// Of an interrupted attempt; 0: there was none.
int recorded(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file);
  int number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc()) return 0;
  return number >= 1 && number <= most ? number : 0;
}

}  // namespace

StageThreads::StageThreads(const Engine& engine, const std::filesystem::path& work,
                           const std::function<void(const std::string&)>& tell)
    : engine_(engine), own_(engine.threads()), count_(own_) {
  const std::filesystem::path file = work / "threads";
  const int before = recorded(file);
  if (before == 0) {
    write_file(file, fmt::format("{}\n", own_)).value();
  } else if (before != own_) {
    engine_.set_threads(before);
    count_ = before;
    tell(
        fmt::format("goes on with {} thread{}, as it began, so that its numbers are those of a run that was not "
                    "interrupted; this process would take {}",
                    before, before == 1 ? "" : "s", own_));
  }
}

StageThreads::~StageThreads() {
  if (count_ != own_) engine_.set_threads(own_);
}

}  // namespace plumb
