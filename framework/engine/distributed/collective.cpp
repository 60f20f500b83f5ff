#include "framework/engine/distributed/collective.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include "framework/core/door/ranks.h"

namespace plumb {
namespace {

class Done final : public Work {
 public:
  void wait() override {}
};

class Alone final : public Collective {
 public:
  Alone() : Collective(0, 1, 0) {}
  std::vector<std::string> gather_texts(const std::string& mine) override { return {mine}; }
  std::string broadcast_text(const std::string& text) override { return text; }
  void barrier() override {}
  void post(const std::string&, const std::string&) override {}
  std::optional<std::string> posted(const std::string&) override { return std::nullopt; }
  void require_all() override {}
  std::string who(int) override { return "this process"; }
  void part() override {}
  std::unique_ptr<Work> gather(const at::Tensor& full, const at::Tensor& part) override { return copy(full, part); }
  std::unique_ptr<Work> exchange(const at::Tensor& received, const at::Tensor& pieces) override {
    return copy(received, pieces);
  }
  std::unique_ptr<Work> broadcast(const at::Tensor&) override { return std::make_unique<Done>(); }

 private:
  static std::unique_ptr<Work> copy(const at::Tensor& to, const at::Tensor& from) {
    const at::NoGradGuard no_grad;
    if (to.data_ptr() != from.data_ptr()) to.copy_(from);
    return std::make_unique<Done>();
  }
};

Collective* current = nullptr;  // null: alone()

}  // namespace

Collective& alone() {
  static Alone group;
  return group;
}

Collective& ranks() {
  return current == nullptr ? alone() : *current;
}

void add_in_order(Collective& group, at::Tensor& sum, const at::Tensor& full, int contributing) {
  const at::NoGradGuard no_grad;
  at::Tensor received = full;
  if (!group.alone()) {
    received = at::empty_like(full);
    group.exchange(received, full)->wait();
  }
  const std::int64_t n = full.numel() / group.world();
  for (int rank = 0; rank < contributing; ++rank) {
    const at::Tensor piece = received.narrow(0, rank * n, n);
    if (sum.defined()) {
      sum.add_(piece);
    } else {
      sum = piece.clone();
    }
  }
}

}  // namespace plumb

extern "C" plumb::RankGroup* plumb_engine_join(const plumb::Place& place, const plumb::JoinOptions& options) {
  return plumb::join(place, options).release();
}

// One stage runs at a time, and groups come from plumb_engine_join.
extern "C" void plumb_engine_work_in(plumb::RankGroup* group) {
  plumb::current = static_cast<plumb::Collective*>(group);
}
