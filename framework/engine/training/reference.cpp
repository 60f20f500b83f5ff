#include "framework/engine/training/reference.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/engine/distributed/collective.h"
#include "framework/engine/distributed/texts.h"
#include "framework/engine/modeling/safetensors.h"
#include "plumb/tensor/upload.h"

namespace plumb {
namespace {

using Origin = ReferenceLogps::Origin;

// Responses of one prompt in one forward pass.
struct Piece {
  SequenceGroup sequences;
  std::vector<Origin> origins;
  std::int64_t tokens = 0;
};

std::vector<Piece> pieces_of(const PairRows& rows, std::span<const std::size_t> pairs) {
  std::set<Origin> wanted;
  for (const std::size_t row : pairs) {
    wanted.emplace(rows.pairs[row].group, rows.pairs[row].chosen);
    wanted.emplace(rows.pairs[row].group, rows.pairs[row].rejected);
  }
  std::vector<Piece> pieces;
  for (const Origin& origin : wanted) {
    const SequenceGroup& group = rows.groups[origin.first];
    if (pieces.empty() || pieces.back().origins.front().first != origin.first) {
      pieces.push_back(
          {.sequences = {group.prompt, {}}, .origins = {}, .tokens = static_cast<std::int64_t>(group.prompt.size())});
    }
    pieces.back().sequences.completions.push_back(group.completions[origin.second]);
    pieces.back().origins.push_back(origin);
    pieces.back().tokens += static_cast<std::int64_t>(group.completions[origin.second].size());
  }
  return pieces;
}

// Consecutive pieces of at most `limit` tokens, at least one each.
std::vector<std::span<const Piece>> cut(std::span<const Piece> pieces, std::int64_t limit) {
  std::vector<std::span<const Piece>> slices;
  for (std::size_t begin = 0, end = 0; begin < pieces.size(); begin = end) {
    std::int64_t tokens = 0;
    do {
      tokens += pieces[end++].tokens;
    } while (end < pieces.size() && tokens + pieces[end].tokens <= limit);
    slices.push_back(pieces.subspan(begin, end - begin));
  }
  return slices;
}

struct Part {
  at::Tensor sums;    // [responses]
  at::Tensor tokens;  // [completion tokens], or empty
};

std::int64_t responses_of(std::span<const Piece> pieces) {
  std::int64_t count = 0;
  for (const Piece& piece : pieces) count += static_cast<std::int64_t>(piece.origins.size());
  return count;
}

std::string to_text(const Part& part) {
  return floats_as_text(part.sums) + floats_as_text(part.tokens);
}

Part part_of_text(const std::string& text, std::int64_t responses) {
  const auto cut = static_cast<std::size_t>(responses) * sizeof(float);
  return {floats_of_text(std::string_view(text).substr(0, cut)), floats_of_text(std::string_view(text).substr(cut))};
}

// Forward passes go round the ranks; each gets all that they give.
Part compute(LanguageModel& reference, std::span<const Piece> part, const ReferenceOptions& options) {
  const at::NoGradGuard no_grad;
  const AdaptersOff adapters_off;
  Collective& group = ranks();
  const auto slices = cut(part, options.forward_tokens);
  const auto world = static_cast<std::size_t>(group.world());
  std::vector<at::Tensor> sums, tokens;
  for (std::size_t round = 0; round < slices.size(); round += world) {
    const std::size_t mine = round + static_cast<std::size_t>(group.rank());
    Part here{at::tensor(std::vector<float>{}), at::tensor(std::vector<float>{})};
    if (mine < slices.size()) {
      std::vector<SequenceGroup> groups;
      for (const Piece& piece : slices[mine]) groups.push_back(piece.sequences);
      const CompletionLogps logps = completion_logps(reference, groups, {});
      here.sums = logps.sums().to(at::kCPU);
      if (options.tokens) here.tokens = logps.tokens.to(at::kCPU);
    }
    const std::vector<std::string> texts = group.gather_texts(group.alone() ? "" : to_text(here));
    for (std::size_t rank = 0; rank < world && round + rank < slices.size(); ++rank) {
      const Part theirs = group.alone() ? here : part_of_text(texts[rank], responses_of(slices[round + rank]));
      sums.push_back(theirs.sums);
      tokens.push_back(theirs.tokens);
    }
  }
  return {at::cat(sums), at::cat(tokens)};
}

std::optional<Part> read_part(const std::filesystem::path& file, std::span<const Piece> part, bool tokens) {
  const std::int64_t responses = responses_of(part);
  std::int64_t completion_tokens = 0;
  for (const Piece& piece : part) {
    for (const auto& completion : piece.sequences.completions)
      completion_tokens += static_cast<std::int64_t>(completion.size());
  }
  auto opened = open_safetensors(file);
  if (!opened || opened->find("sums") == nullptr || opened->find("tokens") == nullptr) return std::nullopt;
  Part read{opened->tensor("sums"), opened->tensor("tokens")};
  if (read.sums.numel() != responses || (tokens && read.tokens.numel() != completion_tokens)) return std::nullopt;
  return read;
}

// What rounding explains, in nats a token: two groupings of the same float32 or bfloat16 computation.
double rounding_bound(at::ScalarType type, std::size_t tokens) {
  return (type == at::kFloat || type == at::kDouble ? 1e-4 : 5e-2) * static_cast<double>(tokens);
}

}  // namespace

void ReferenceLogps::put(const Origin& origin, float sum, at::Tensor tokens) {
  entries_[origin] = {sum, std::move(tokens)};
}

const ReferenceLogps::Entry& ReferenceLogps::entry(const Origin& origin) const {
  const auto found = entries_.find(origin);
  if (found == entries_.end()) {
    throw Error(ErrorCode::run_failed, "no reference log-probability was computed for response " +
                                           std::to_string(origin.second) + " of group " + std::to_string(origin.first));
  }
  return found->second;
}

at::Tensor ReferenceLogps::sums(std::span<const Origin> origins, const at::Device& device) const {
  std::vector<float> values;
  values.reserve(origins.size());
  for (const Origin& origin : origins) values.push_back(entry(origin).sum);
  return upload(at::tensor(values), device);
}

const at::Tensor& ReferenceLogps::tokens(const Origin& origin) const {
  return entry(origin).tokens;
}

ReferenceLogps reference_logps(LanguageModel& reference, const PairRows& rows, std::span<const std::size_t> pairs,
                               const ReferenceOptions& options, StageContext& context) {
  const std::vector<Piece> pieces = pieces_of(rows, pairs);
  const auto folder = context.work_folder() / "reference";
  std::filesystem::create_directories(folder);
  Collective& group = ranks();  // rank 0's files and wish to stop are those of all
  ReferenceLogps result;
  std::size_t done = 0, number = 0;
  for (const auto part : cut(pieces, options.part_tokens)) {
    const auto file = folder / (options.name + "-" + std::to_string(number++) + ".safetensors");
    std::optional<Part> values = group.leads() ? read_part(file, part, options.tokens) : std::nullopt;
    const std::string now = group.broadcast_text(context.cancelled() ? "stop" : values ? "known" : "unknown");
    if (now == "stop") throw Cancelled{};
    if (now == "unknown") {
      values = compute(reference, part, options);
      if (group.leads()) write_safetensors(file, {{"sums", values->sums}, {"tokens", values->tokens}}).value();
    } else if (!group.alone()) {
      values = part_of_text(group.broadcast_text(values ? to_text(*values) : ""), responses_of(part));
    }
    const float* sums = values->sums.const_data_ptr<float>();
    std::int64_t at = 0;
    for (const Piece& piece : part) {
      for (std::size_t i = 0; i < piece.origins.size(); ++i) {
        const auto length = static_cast<std::int64_t>(piece.sequences.completions[i].size());
        result.put(piece.origins[i], *sums++,
                   options.tokens ? values->tokens.narrow(0, at, length).clone() : at::Tensor());
        at += length;
      }
    }
    done += part.size();
    context.progress("reference log-probabilities", done, pieces.size());
  }
  return result;
}

double require_identity(const at::Tensor& policy, const at::Tensor& reference,
                        std::span<const ReferenceLogps::Origin> origins, const PairRows& rows, at::ScalarType weights) {
  const at::Tensor p = policy.to(at::kCPU, at::kDouble), r = reference.to(at::kCPU, at::kDouble);
  double largest = 0;
  for (std::size_t i = 0; i < origins.size(); ++i) {
    const auto [group, completion] = origins[i];
    const double policy_logp = p.const_data_ptr<double>()[i], reference_logp = r.const_data_ptr<double>()[i];
    const double difference = std::abs(policy_logp - reference_logp);
    const std::size_t tokens = rows.groups[group].completions[completion].size();
    largest = std::max(largest, difference);
    if (difference <= rounding_bound(weights, tokens)) continue;
    throw Error(
        ErrorCode::run_failed,
        "before the first update the policy must equal its reference, so that margins are 0 and the loss is ln 2, "
        "but response " +
            std::to_string(completion) + " of prompt " + rows.names[group] + " (" + std::to_string(tokens) +
            " tokens) has log-probability " + std::to_string(policy_logp) + " under the policy and " +
            std::to_string(reference_logp) + " under the reference; rounding explains " +
            std::to_string(rounding_bound(weights, tokens)) +
            ". Dropout that is on, an adapter whose B is not zero, another data type, or files of the start that "
            "changed between attempts cause this");
  }
  return largest;
}

}  // namespace plumb
