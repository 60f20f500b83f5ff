#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>

#include <numeric>

#include "sdk/check/tensor/batches.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

void draw(Inputs& in, const Context& c, const Random& random) {
  in.lengths["logps"] = in.lengths["values"] = draw_lengths(random.derive("lengths"), in.rows);
  const auto& lengths = in.lengths["logps"];
  in.total_tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  const at::Tensor sampled = draw_uniform(random.derive("logps"), {in.total_tokens}, -3, -0.1);
  const at::Tensor values = draw_normal(random.derive("values"), {in.total_tokens});
  const auto step = [&](const char* name) { return 0.1 * draw_normal(random.derive(name), {in.total_tokens}); };
  in.add_leaf("logps", sampled + step("step"));
  if (c.needs("values")) in.add_leaf("values", values + step("value step"));
  in.constants["sampled logps"] = sampled.to(in.type);
  in.constants["reference logps"] = draw_uniform(random.derive("reference"), {in.total_tokens}, -3, -0.1).to(in.type);
  in.constants["sampled values"] = values.to(in.type);
  in.constants["rewards"] = draw_normal(random.derive("rewards"), {in.rows}).to(in.type);
}

Loss loss(Optimizer& optimizer, const Context& c, const Inputs& in, BatchWatch& watch) {
  auto& online = dynamic_cast<OnlineOptimizer&>(optimizer);
  RolloutBatch b;
  b.logps = in.ragged("sampled logps", "logps");
  if (c.needs("reference")) b.reference_logps = in.ragged("reference logps", "logps");
  if (c.needs("values")) b.values = in.ragged("sampled values", "logps");
  b.rewards = in.constants.at("rewards").clone();
  b.prompt = at::arange(in.rows).floor_divide(2);  // two answers to each
  const auto prepared = online.prepare(b);
  for (const auto& [name, made] : {std::pair{"advantages", &b.advantages}, std::pair{"returns", &b.returns}}) {
    require(!made->defined() || made->offsets.equal(b.logps.offsets),
            std::string("prepare wrote ") + name + " whose rows are not as long as those of logps");
  }
  std::vector<std::int64_t> rows(static_cast<std::size_t>(in.count));
  std::iota(rows.begin(), rows.end(), in.first);
  Ragged logps = in.ragged_leaf("logps"), values = c.needs("values") ? in.ragged_leaf("values") : Ragged();
  for (Ragged* one : {&b.logps, &b.reference_logps, &b.values, &b.advantages, &b.returns, &logps, &values}) {
    if (one->defined()) *one = one->select(rows);
  }
  for (at::Tensor* one : {&b.rewards, &b.prompt}) *one = one->narrow(0, in.first, in.count);
  watch.add("advantages", b.advantages);
  watch.add("logps at sampling", b.logps);
  watch.add("rewards", b.rewards);
  watch.add("logps", logps);
  watch.add("values", values);
  Loss loss = online.loss(b, logps, values, in.total_tokens);
  loss.metrics.insert(prepared.begin(), prepared.end());
  return loss;
}

}  // namespace

template <>
const BatchForm& form_of<OnlineOptimizer>() {
  static const BatchForm form{
      .draw = draw, .loss = loss, .stretch = nullptr, .part_rows = 2, .mean = false, .together = true};
  return form;
}

}  // namespace plumb::check
