// A plugin that was called test.gap before.
#include <plumb/plugin.h>
#include <plumb/replaces.h>
#include <plumb/selection_policy.h>

namespace {

class Nothing final : public plumb::SelectionPolicy {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"no pairs"}; }
  Nothing(const Settings&, plumb::Host&) {}
  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup&, plumb::Random) const override { return {}; }
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.renamed", "2.0.0", "Apache-2.0", "no pairs" PLUMB_REPLACES("test.gap")) {
  registrar.add<Nothing>("gap").yields({"pairs"});
}
