#include <algorithm>

#include "framework/core/catalogue/declared.h"

namespace plumb {
namespace {

struct Registered {
  int place;
  StageKind (*make)();
};

// Filled by static objects, in the order in which files are linked.
std::vector<Registered>& registered() {
  static std::vector<Registered> all;
  return all;
}

std::vector<StageKind> made() {
  std::vector<Registered> all = registered();
  std::sort(all.begin(), all.end(), [](const Registered& a, const Registered& b) { return a.place < b.place; });
  std::vector<StageKind> kinds;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && all[i].place == all[i - 1].place) {
      throw Error(ErrorCode::run_failed, "two stage kinds have the place " + std::to_string(all[i].place));
    }
    kinds.push_back(all[i].make());
  }
  return kinds;
}

}  // namespace

ParamIssue to_issue(const std::string& broken_rule, const Value& params) {
  const auto colon = broken_rule.find(": ");
  const std::string key = colon == std::string::npos ? "" : broken_rule.substr(0, colon);
  const Value* value = params.find(key);
  if (value == nullptr) return {"", params.mark, broken_rule, ""};
  return {key, value->mark, broken_rule.substr(colon + 2), ""};
}

KindRegistration::KindRegistration(int place, StageKind (*make)()) {
  registered().push_back({place, make});
}

const std::vector<StageKind>& stage_catalogue() {
  static const std::vector<StageKind> kinds = made();
  return kinds;
}

const StageKind* find_stage_kind(const std::string& kind) {
  for (const StageKind& known : stage_catalogue()) {
    if (known.kind == kind) return &known;
  }
  return nullptr;
}

const StageKind* kind_of_section(const std::string& section) {
  for (const StageKind& known : stage_catalogue()) {
    if (known.section == section && section != StageKind{}.section) return &known;
  }
  return nullptr;
}

std::vector<std::string> stage_kind_names() {
  std::vector<std::string> out;
  for (const StageKind& known : stage_catalogue()) {
    if (known.section == StageKind{}.section) out.push_back(known.kind);
  }
  return out;
}

}  // namespace plumb
