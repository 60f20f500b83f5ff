#include "framework/engine/training/batch_share.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "framework/core/isolation/wire.h"
#include "plumb/error.h"

namespace plumb {
namespace {

constexpr std::int64_t kVector = 64;  // elements: a rank's part has no tail that a vector unit takes otherwise

}  // namespace

template <class Wire>
void wire_fields(Wire& w, MicroResult& v) {
  w(v.loss, v.type, v.metrics);
}

double sum_of_losses(const std::vector<MicroResult>& micros) {
  at::Tensor sum;
  for (const MicroResult& micro : micros) {
    const at::Tensor loss = at::scalar_tensor(micro.loss, at::TensorOptions(micro.type));
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum.defined() ? sum.item<double>() : 0;
}

BatchShare::BatchShare(Collective& group, const std::vector<TrainedTensor>& tensors, std::size_t micros)
    : group_(group), micros_(micros) {
  if (group.alone()) return;
  for (const TrainedTensor& trained : tensors) {
    const auto same = [&](const Flat& flat) {
      return flat.tensors.front().scalar_type() == trained.value.scalar_type() &&
             flat.tensors.front().device() == trained.value.device();
    };
    auto flat = std::find_if(flats_.begin(), flats_.end(), same);
    if (flat == flats_.end()) flat = flats_.insert(flats_.end(), Flat{});
    flat->tensors.push_back(trained.value);
  }
  for (Flat& flat : flats_) {
    std::int64_t size = 0;
    for (const at::Tensor& tensor : flat.tensors) size += tensor.numel();
    const std::int64_t step = kVector * group.world();
    flat.all = at::zeros({(size + step - 1) / step * step}, flat.tensors.front().options().requires_grad(false));
    flat.seen.resize(flat.tensors.size());
  }
}

bool BatchShare::mine(std::size_t micro) const {
  return micro % static_cast<std::size_t>(group_.world()) == static_cast<std::size_t>(group_.rank());
}

void BatchShare::add(std::size_t micro, const MicroLoss& loss) {
  shares_.push_back(loss.share.detach());
  mine_.push_back({0, loss.share.scalar_type(), loss.metrics});
  if (group_.alone()) return;
  end_round(contributing(micro));
}

int BatchShare::contributing(std::size_t micro) const {
  const auto world = static_cast<std::size_t>(group_.world());
  return static_cast<int>(std::min(world, micros_ - micro / world * world));
}

bool BatchShare::idle_at_the_end() const {
  const auto world = static_cast<std::size_t>(group_.world());
  return micros_ % world != 0 && static_cast<std::size_t>(group_.rank()) >= micros_ % world;
}

// The gradients of this rank's micro-batch, if it had one in this round, join those of the others.
void BatchShare::end_round(int contributing) {
  const at::NoGradGuard no_grad;
  ++rounds_;
  for (Flat& flat : flats_) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < flat.tensors.size(); ++i) {
      const at::Tensor& tensor = flat.tensors[i];
      at::Tensor place = flat.all.narrow(0, at, tensor.numel()).view(tensor.sizes());
      at += tensor.numel();
      if (tensor.grad().defined()) {
        place.copy_(tensor.grad());
        flat.seen[i] = true;
      } else {
        place.zero_();
      }
    }
  }
  clear();
  for (Flat& flat : flats_) add_in_order(group_, flat.sum, flat.all, contributing);
}

void BatchShare::clear() {
  for (Flat& flat : flats_) {
    for (at::Tensor& tensor : flat.tensors) tensor.mutable_grad().reset();
  }
}

void BatchShare::read_losses() {
  if (shares_.empty()) return;
  const at::Tensor values = at::stack(shares_).to(at::kCPU, at::kDouble);  // one download
  for (std::size_t i = 0; i < mine_.size(); ++i) mine_[i].loss = values.const_data_ptr<double>()[i];
}

std::vector<MicroResult> BatchShare::finish() {
  if (group_.alone()) {
    read_losses();
    return std::move(mine_);
  }
  const auto world = static_cast<std::size_t>(group_.world());
  const std::size_t rounds = (micros_ + world - 1) / world;
  if (rounds_ < rounds) end_round(static_cast<int>(micros_ - (rounds - 1) * world));  // no micro-batch of mine in it
  read_losses();
  std::vector<std::vector<MicroResult>> of_rank;
  for (const std::string& bytes : group_.gather_texts(packed(mine_)))
    of_rank.push_back(unpacked<std::vector<MicroResult>>(bytes));
  std::vector<MicroResult> all;
  for (std::size_t micro = 0; micro < micros_; ++micro) all.push_back(of_rank[micro % world].at(micro / world));
  hand_out();
  return all;
}

// A tensor that had a gradient on any rank gets the sum; others keep none, as in one process.
void BatchShare::hand_out() {
  const at::NoGradGuard no_grad;
  for (Flat& flat : flats_) {
    std::string seen;
    for (const bool one : flat.seen) seen += one ? '1' : '0';
    const std::vector<std::string> of_ranks = group_.gather_texts(seen);
    group_.gather(flat.all, flat.sum)->wait();
    std::int64_t at = 0;
    for (std::size_t i = 0; i < flat.tensors.size(); ++i) {
      at::Tensor& tensor = flat.tensors[i];
      const at::Tensor sum = flat.all.narrow(0, at, tensor.numel()).view(tensor.sizes());
      at += tensor.numel();
      if (std::any_of(of_ranks.begin(), of_ranks.end(), [&](const std::string& its) { return its.at(i) == '1'; })) {
        tensor.mutable_grad() = sum;
      }
    }
  }
}

bool any_rank(Collective& group, bool here, double same) {
  if (group.alone()) return here;
  bool any = false;
  const std::vector<std::string> all = group.gather_texts(packed(here, same));
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    any = WireReader(all[rank]).take<bool>() || any;
    if (all[rank].substr(sizeof(bool)) == all[0].substr(sizeof(bool))) continue;
    throw Error(
        ErrorCode::run_failed,
        "rank " + std::to_string(rank) + " (" + group.who(static_cast<int>(rank)) +
            ") computed another gradient norm than rank 0 from the same gradients, so their weights would drift "
            "apart; all ranks need the same kind of processor");
  }
  return any;
}

}  // namespace plumb
