// The programmatic judge of the requests: component `gold`.
#pragma once

#include <plumb/judge.h>

namespace requests {

class GoldJudge final : public plumb::Judge {
 public:
  struct Settings {};
  static plumb::Params<Settings> params();
  GoldJudge(const Settings&, plumb::Host&) {}
  // Score in [0, 1]; the text lists the five criteria. A prompt outside the requests' language is a failure.
  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override;
};

}  // namespace requests
