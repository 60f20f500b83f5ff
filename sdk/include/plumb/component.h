// The base of everything a plugin provides.
//
// A component class names its kind, declares its parameters and is made from its settings and the host:
//
//   class RewardGap final : public plumb::SelectionPolicy {
//    public:
//     struct Settings { double eta = 0.85; };
//     static plumb::Params<Settings> params();
//     RewardGap(const Settings& settings, plumb::Host& host);
//     plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random random) const override;
//   };
//
// Thread tags on methods, from CLAP's convention:
//   [setup] one thread, before work starts;   [lane] never concurrently on one instance, the thread may change;
//   [any]   concurrent calls allowed.
#pragma once

namespace plumb {
inline namespace v1 {

class Component {
 public:
  Component() = default;
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;
  virtual ~Component();
};

}  // namespace v1
}  // namespace plumb
