// Whole sequences, each by one number: the mean log-probability of its learnt tokens.
struct SequenceBatch {
  at::Tensor means;              // [sequences] fp32
  std::int64_t total_sequences;  // of the whole accumulated batch
  [[nodiscard]] bool differentiable() const { return means.requires_grad(); }
};
class SequenceOptimizer : public Optimizer {
 public:
  using Batch = SequenceBatch;
  static BatchInfo batch_info() {
    return {
        .by = "SequenceOptimizer", .of = "means of sequences", .takes = {"demonstrations"}, .needs = {}, .yields = {}};
  }
  // The sum over micro-batches must be the batch's loss: divide by total_sequences.
  [[nodiscard]] virtual Loss loss(const SequenceBatch& batch) = 0;
};
