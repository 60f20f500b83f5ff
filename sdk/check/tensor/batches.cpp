#include "sdk/check/tensor/batches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <limits>
#include <numeric>

#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

using Batch = Optimizer::Batch;
using Lengths = std::vector<std::int64_t>;

Lengths draw_lengths(Random random, std::int64_t count) {
  Lengths out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(1 + static_cast<std::int64_t>(random.below(6)));
  return out;
}

std::int64_t sum(const Lengths& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

at::Tensor leaf(const at::Tensor& value, at::ScalarType type) {
  return value.detach().to(type).clone().set_requires_grad(true);
}

std::vector<at::Tensor> split(const at::Tensor& flat, const Lengths& lengths) {
  std::vector<at::Tensor> out;
  std::int64_t start = 0;
  for (const std::int64_t length : lengths) {
    out.push_back(flat.narrow(0, start, length));
    start += length;
  }
  return out;
}

at::Tensor sums(const std::vector<at::Tensor>& tokens) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& one : tokens) out.push_back(one.sum());
  return at::stack(out);
}

at::Tensor as_tensor(const Lengths& lengths, at::ScalarType type) {
  return at::tensor(lengths).to(type);
}

// [responses, longest], true on real tokens.
at::Tensor mask_of(const Lengths& lengths) {
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  at::Tensor mask = at::full({static_cast<std::int64_t>(lengths.size()), longest}, false, at::kBool);
  for (std::size_t i = 0; i < lengths.size(); ++i)
    mask.select(0, static_cast<std::int64_t>(i)).narrow(0, 0, lengths[i]).fill_(true);
  return mask;
}

// The batch's tensors as they are, to see whether the loss writes into them.
class Watch {
 public:
  void add(const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) seen_.push_back({name, tensor, bytes_of(tensor)});
  }
  void add(const std::string& name, const std::vector<at::Tensor>& tensors) {
    for (const at::Tensor& tensor : tensors) add(name, tensor);
  }
  [[nodiscard]] std::string written() const {
    for (const Seen& one : seen_) {
      if (bytes_of(one.tensor) != one.bytes) return one.name;
    }
    return {};
  }

 private:
  struct Seen {
    std::string name;
    at::Tensor tensor;
    std::string bytes;
  };
  std::vector<Seen> seen_;
};

template <class T>
T& as(Optimizer& optimizer) {
  T* out = dynamic_cast<T*>(&optimizer);
  require(out != nullptr, "its batch() does not fit the class that it derives from");
  return *out;
}

Loss pair_loss(PairwiseOptimizer& optimizer, const Context& c, const Inputs& in, Watch& watch) {
  const auto side = [&](std::size_t i, const char* name, at::Tensor& policy, at::Tensor& reference, at::Tensor& length,
                        std::vector<at::Tensor>& policy_tokens, std::vector<at::Tensor>& reference_tokens) {
    const Lengths& lengths = in.lengths.at(name);
    const auto tokens = split(in.leaves[i], lengths);
    policy = sums(tokens);
    length = as_tensor(lengths, in.type);
    if (optimizer.per_token()) policy_tokens = tokens;
    if (!c.needs("reference")) return;
    const at::Tensor flat =
        in.reference_is_policy ? in.leaves[i].detach() : in.constants.at(std::string("reference ") + name);
    const auto other = split(flat, lengths);
    reference = sums(other);
    if (optimizer.per_token()) reference_tokens = other;
  };
  PairBatch b;
  side(0, "chosen", b.policy_chosen, b.reference_chosen, b.chosen_length, b.policy_chosen_tokens,
       b.reference_chosen_tokens);
  side(1, "rejected", b.policy_rejected, b.reference_rejected, b.rejected_length, b.policy_rejected_tokens,
       b.reference_rejected_tokens);
  b.margin = in.constants.at("margin").clone();
  watch.add("policy_chosen", b.policy_chosen);
  watch.add("policy_rejected", b.policy_rejected);
  watch.add("reference_chosen", b.reference_chosen);
  watch.add("reference_rejected", b.reference_rejected);
  watch.add("margin", b.margin);
  watch.add("chosen_length", b.chosen_length);
  watch.add("rejected_length", b.rejected_length);
  return optimizer.loss(b);
}

Loss token_loss(TokenOptimizer& optimizer, const Inputs& in, Watch& watch) {
  const Lengths& lengths = in.lengths.at("logps");
  Lengths owner;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    owner.insert(owner.end(), static_cast<std::size_t>(lengths[i]), static_cast<std::int64_t>(i));
  const TokenLossBatch b{in.leaves[0] * 1, at::tensor(owner), static_cast<std::int64_t>(lengths.size()),
                         in.total_tokens, in.total_sequences};
  watch.add("logps", b.logps);
  watch.add("sequence", b.sequence);
  return optimizer.loss(b);
}

Loss score_loss(ScoreOptimizer& optimizer, const Inputs& in, Watch& watch) {
  const ScoreBatch b{in.leaves[0] * 1, in.leaves[1] * 1, in.constants.at("margin").clone()};
  watch.add("chosen", b.chosen);
  watch.add("rejected", b.rejected);
  watch.add("margin", b.margin);
  return optimizer.loss(b);
}

Loss unpaired_loss(UnpairedOptimizer& optimizer, const Inputs& in, Watch& watch) {
  const auto constant = [&](const char* name) { return in.constants.at(name).clone(); };
  const UnpairedBatch b{in.leaves[0] * 1,      constant("reference"),         constant("length"),
                        constant("desirable"), constant("policy mismatched"), constant("reference mismatched")};
  watch.add("policy", b.policy);
  watch.add("reference", b.reference);
  watch.add("desirable", b.desirable);
  return optimizer.loss(b);
}

Loss rollout_loss(OnlineOptimizer& optimizer, const Context& c, const Inputs& in, Watch& watch) {
  const at::Tensor& mask = in.constants.at("mask");
  const auto padded = [&](const at::Tensor& t) {
    return at::where(mask, t, at::full({}, in.padding, t.options().requires_grad(false)));
  };
  RolloutBatch b;
  b.mask = mask.clone();
  b.logps = padded(in.constants.at("sampled logps"));
  if (c.needs("reference")) b.reference_logps = padded(in.constants.at("reference logps"));
  if (c.needs("values")) b.values = padded(in.constants.at("sampled values"));
  b.rewards = in.constants.at("rewards").clone();
  b.prompt = in.constants.at("prompt").clone();
  const auto prepared = optimizer.prepare(b);
  at::Tensor logps = padded(in.leaves[0]);
  at::Tensor values = c.needs("values") ? padded(in.leaves[1]) : at::Tensor();
  for (at::Tensor* t : {&b.mask, &b.logps, &b.reference_logps, &b.values, &b.rewards, &b.prompt, &b.advantages,
                        &b.returns, &logps, &values}) {
    if (t->defined()) *t = t->narrow(0, in.first, in.count);
  }
  watch.add("advantages", b.advantages);
  watch.add("logps at sampling", b.logps);
  watch.add("rewards", b.rewards);
  watch.add("logps", logps);
  Loss loss = optimizer.loss(b, logps, values, in.total_tokens);
  loss.metrics.insert(prepared.begin(), prepared.end());
  return loss;
}

Inputs draw_rollouts(const Random& random, const Context& c, Inputs in, std::int64_t count) {
  const Lengths lengths = draw_lengths(random.derive("lengths"), count);
  const at::Tensor mask = mask_of(lengths);
  const at::Tensor sampled = draw_uniform(random.derive("logps"), mask.sizes(), -3, -0.1);
  const at::Tensor values = draw_normal(random.derive("values"), mask.sizes());
  in.names = {"logps", "values"};
  in.leaves = {leaf(sampled + 0.1 * draw_normal(random.derive("step"), mask.sizes()), in.type),
               leaf(values + 0.1 * draw_normal(random.derive("value step"), mask.sizes()), in.type)};
  if (!c.needs("values")) in.leaves.pop_back(), in.names.pop_back();
  in.constants["mask"] = mask;
  in.constants["sampled logps"] = sampled.to(in.type);
  in.constants["reference logps"] = draw_uniform(random.derive("reference"), mask.sizes(), -3, -0.1).to(in.type);
  in.constants["sampled values"] = values.to(in.type);
  in.constants["rewards"] = draw_normal(random.derive("rewards"), {count}).to(in.type);
  Lengths prompt;
  for (std::int64_t i = 0; i < count; ++i) prompt.push_back(i / 2);
  in.constants["prompt"] = at::tensor(prompt);
  in.lengths["logps"] = lengths;
  in.total_tokens = sum(lengths);
  in.count = count;
  return in;
}

}  // namespace

Inputs draw_inputs(const Optimizer& optimizer, const Context& c, std::int64_t count, at::ScalarType type,
                   std::uint64_t number) {
  Inputs in;
  in.batch = optimizer.batch();
  in.type = type;
  Random random = c.random().derive(in.batch == Batch::rollouts ? "rollouts" : "batch");
  if (number > 0) random = random.derive(number);
  const auto tokens = [&](const char* name) {
    const Lengths& lengths = in.lengths[name] = draw_lengths(random.derive(name), count);
    in.names.push_back(name);
    in.leaves.push_back(leaf(draw_uniform(random.derive(name).derive("values"), {sum(lengths)}, -3, -0.1), type));
    in.constants[std::string("reference ") + name] =
        draw_uniform(random.derive(name).derive("reference"), {sum(lengths)}, -3, -0.1).to(type);
  };
  const auto numbers = [&](const char* name, double low, double high) {
    in.names.push_back(name);
    in.leaves.push_back(leaf(draw_uniform(random.derive(name), {count}, low, high), type));
  };
  at::Tensor margin = draw_uniform(random.derive("margin"), {count}, 0.1, 3).to(type);
  margin.select(0, 0).fill_(std::numeric_limits<double>::quiet_NaN());  // data without rewards
  in.constants["margin"] = margin;
  switch (in.batch) {
    case Batch::pairs:
      tokens("chosen");
      tokens("rejected");
      break;
    case Batch::tokens:
      tokens("logps");
      in.total_tokens = sum(in.lengths["logps"]) + 5;  // of a batch of which this is a part
      in.total_sequences = count + 2;
      break;
    case Batch::scores:
      numbers("chosen", -2, 2);
      numbers("rejected", -2, 2);
      break;
    case Batch::unpaired: {
      numbers("policy", -20, -1);
      for (const char* name : {"reference", "policy mismatched", "reference mismatched"}) {
        in.constants[name] = draw_uniform(random.derive(name), {count}, -20, -1).to(type);
      }
      in.constants["length"] = as_tensor(draw_lengths(random.derive("length"), count), type);
      in.constants["desirable"] = draw_uniform(random.derive("desirable"), {count}, -1, 1) > 0;
      in.constants["desirable"].select(0, 0).fill_(true);
      in.constants["desirable"].select(0, 1).fill_(false);
      break;
    }
    case Batch::rollouts:
      return draw_rollouts(random, c, in, count);
  }
  return in;
}

std::int64_t Inputs::rows() const {
  if (batch == Batch::rollouts) return count;
  if (batch == Batch::unpaired) return leaves[0].size(0);
  return batch == Batch::tokens ? static_cast<std::int64_t>(lengths.at("logps").size())
                                : constants.at("margin").size(0);
}

Inputs Inputs::part(std::int64_t from, std::int64_t size) const {
  Inputs out = *this;
  if (batch == Batch::rollouts) {
    out.first = from;
    out.count = size;
    return out;
  }
  out.share = batch == Batch::tokens ? 1.0 : static_cast<double>(size) / static_cast<double>(rows());
  out.constants["margin"] = constants.at("margin").narrow(0, from, size);
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    const auto known = lengths.find(names[k]);
    std::int64_t begin = from, length = size;
    if (known != lengths.end()) {
      const auto at = known->second.begin() + from;
      begin = std::accumulate(known->second.begin(), at, std::int64_t{0});
      out.lengths[names[k]] = Lengths(at, at + size);
      length = sum(out.lengths[names[k]]);
      out.constants["reference " + names[k]] = constants.at("reference " + names[k]).narrow(0, begin, length);
    }
    out.leaves[k] = leaf(leaves[k].detach().narrow(0, begin, length), type);
  }
  return out;
}

std::vector<Inputs> Inputs::parts() const {
  std::vector<Inputs> out;
  if (batch == Batch::unpaired) return out;
  const std::int64_t size = batch == Batch::rollouts ? 2 : 1;
  for (std::int64_t at = 0; at < rows(); at += size) out.push_back(part(at, std::min(size, rows() - at)));
  return out;
}

void Inputs::stretch(double size, double sign) {
  const auto set = [&](std::size_t i, double value) { leaves[i] = leaf(leaves[i].detach() * 0 + value, type); };
  switch (batch) {
    case Batch::pairs:
      set(0, sign > 0 ? -1e-3 : -size / 3);
      set(1, sign > 0 ? -size / 3 : -1e-3);
      break;
    case Batch::scores:
      set(0, sign * size / 2);
      set(1, -sign * size / 2);
      break;
    case Batch::tokens:
      set(0, -size);
      break;
    case Batch::unpaired:
      set(0, sign > 0 ? -1e-3 : -size);
      constants["reference"] = constants.at("reference") * 0 - (sign > 0 ? size : 1e-3);
      break;
    case Batch::rollouts:
      break;  // a policy that far from where it sampled is not what online learning sees
  }
}

Loss loss_on(Optimizer& optimizer, const Context& c, const Inputs& in, std::string* written) {
  Watch watch;
  const auto run = [&] {
    switch (in.batch) {
      case Batch::tokens:
        return token_loss(as<TokenOptimizer>(optimizer), in, watch);
      case Batch::pairs:
        return pair_loss(as<PairwiseOptimizer>(optimizer), c, in, watch);
      case Batch::scores:
        return score_loss(as<ScoreOptimizer>(optimizer), in, watch);
      case Batch::unpaired:
        return unpaired_loss(as<UnpairedOptimizer>(optimizer), in, watch);
      case Batch::rollouts:
        return rollout_loss(as<OnlineOptimizer>(optimizer), c, in, watch);
    }
    throw Failure{"its batch() is none of the known kinds"};
  };
  Loss loss = run();
  if (written != nullptr) *written = watch.written();
  return loss;
}

}  // namespace plumb::check
