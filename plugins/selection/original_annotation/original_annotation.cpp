// Original annotation (paper §4): the preference that came with the data; the sampled responses play no part.
#include <plumb/selection_policy.h>

#include <plumb/plugin.h>

namespace {

class OriginalAnnotation final : public plumb::SelectionPolicy {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>{"the data's own preference, one pair a prompt", "RS-DPO, §4"};
  }
  OriginalAnnotation(const Settings&, plumb::Host&) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    plumb::Selection selection;
    if (!group.annotation) return selection;
    const plumb::PairChoice pair{plumb::PairChoice::annotated, plumb::PairChoice::annotated};
    const bool kept = group.annotation->chosen != group.annotation->rejected;
    selection.audit.push_back({pair, group.annotation->margin.value_or(0), kept, kept ? "kept" : "identical"});
    if (kept) selection.pairs.push_back(pair);
    return selection;
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.original-annotation", "1.0.0", "Apache-2.0",
             "the preference that came with the data" PLUMB_STATUS("stable")) {
  registrar.add<OriginalAnnotation>("original-annotation").yields({"pairs"}).needs({"annotation"});
}
