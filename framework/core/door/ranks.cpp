#include "framework/core/door/ranks.h"

#include "framework/core/door/engine.h"

namespace plumb {

std::unique_ptr<RankGroup> join_ranks(const Place& place, const JoinOptions& options) {
  const auto join = reinterpret_cast<decltype(&plumb_engine_join)>(Engine::open().symbol("plumb_engine_join"));
  return std::unique_ptr<RankGroup>(join(place, options));
}

bool works_on_ranks(const std::string& kind) {
  using Ask = decltype(&plumb_engine_works_on_ranks);
  return reinterpret_cast<Ask>(Engine::open().symbol("plumb_engine_works_on_ranks"))(kind.c_str());
}

namespace {
void work_in(RankGroup* group) {
  reinterpret_cast<decltype(&plumb_engine_work_in)>(Engine::open().symbol("plumb_engine_work_in"))(group);
}
}  // namespace

WorkInRanks::WorkInRanks(RankGroup& group) {
  work_in(&group);
}

WorkInRanks::~WorkInRanks() {
  work_in(nullptr);
}

}  // namespace plumb
