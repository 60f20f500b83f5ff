#include "framework/core/sweep/sweep_record.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/earlier_run.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

Value to_value(const Arm& arm) {
  Value values = Value::map();
  for (const Arm::Choice& choice : arm.choices) {
    if (choice.key != "seed") values.set(choice.key, choice.value);
  }
  return Value::map({{"arm", arm.name},
                     {"row", arm.row},
                     {"seed", static_cast<std::int64_t>(arm.recipe.seed)},
                     {"values", std::move(values)},
                     {"resolved_sha256", sha256_of(write_recipe(arm.recipe))},
                     {"status", "waiting"}});
}

Value read_earlier(const fs::path& file) {
  const Result<Value> earlier = read_json(file);
  return earlier ? *earlier : Value();
}

}  // namespace

SweepRecord::SweepRecord(const fs::path& folder, const Recipe& recipe, const std::string& recipe_text,
                         const Sweep& sweep)
    : folder_(fs::absolute(folder).lexically_normal()), earlier_(read_earlier(folder_ / "sweep.json")) {
  require_sweep_folder(folder_).value();
  Value::List arms;
  for (const Arm& arm : sweep.arms) arms.push_back(to_value(arm));
  sweep_ = Value::map({{"sweep", recipe.name},
                       {"file", recipe.file.string()},
                       {"status", "running"},
                       {"process", static_cast<std::int64_t>(::getpid())},
                       {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
                       {"baseline", sweep.baseline.empty() ? Value() : Value(sweep.baseline)},
                       {"published", sweep.published},
                       {"arms", std::move(arms)}});
  fs::create_directories(folder_);
  save();  // before anything else: it is what makes the rest a sweep's
  write_file(folder_ / "recipe.yaml", recipe_text).value();
}

std::optional<double> SweepRecord::done_before(std::size_t arm) const {
  const Value* arms = earlier_.is_map() ? earlier_.find("arms") : nullptr;
  if (arms == nullptr || !arms->is_list()) return std::nullopt;
  const Value& now = this->arm(arm);
  const auto same = [&](const Value& was, const char* key, const Value& wanted) {
    const Value* found = was.is_map() ? was.find(key) : nullptr;
    return found != nullptr && *found == wanted;
  };
  for (const Value& was : arms->as_list()) {
    if (!same(was, "arm", now.at("arm"))) continue;
    const bool done = same(was, "status", "done") && same(was, "resolved_sha256", now.at("resolved_sha256"));
    const Value* seconds = was.find("seconds");
    return done ? std::optional(seconds == nullptr ? 0 : seconds->as_double()) : std::nullopt;
  }
  return std::nullopt;
}

std::string SweepRecord::resolved_sha256(std::size_t arm) const {
  return this->arm(arm).at("resolved_sha256").as_string();
}

void SweepRecord::set(std::size_t arm, const std::string& status, double seconds, const std::string& error) {
  Value& entry = sweep_.find("arms")->as_list()[arm];
  entry.set("status", status);
  if (seconds > 0) entry.set("seconds", seconds);
  if (!error.empty()) entry.set("error", error);
  save();
}

void SweepRecord::finish(const std::string& status, double seconds) {
  sweep_.set("status", status);
  sweep_.set("seconds", seconds);
  save();
}

void SweepRecord::save() const {
  write_file(folder_ / "sweep.json", to_json(sweep_, false, 2) + "\n").value();
}

}  // namespace plumb
