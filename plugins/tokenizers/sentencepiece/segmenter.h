// How a normalised text is cut into pieces: by merges (BPE) or by the best path (unigram).
// Thread contract: const methods are [any].
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "model_file.h"
#include "plumb/records.h"
#include "prefix_index.h"

namespace plumb::tokenizers {

struct Segment {
  std::string_view text;
  TokenId id;  // unk_id when no piece is spelt like it
};

class Segmenter {
 public:
  virtual ~Segmenter() = default;
  [[nodiscard]] virtual std::vector<Segment> segment(std::string_view text) const = 0;
};

// The model and the index must outlive the segmenter.
std::unique_ptr<Segmenter> make_bpe(const ModelFile& model, const PrefixIndex& user_defined);
std::unique_ptr<Segmenter> make_unigram(const ModelFile& model);

}  // namespace plumb::tokenizers
