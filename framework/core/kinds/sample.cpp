// Kind `sample`: k answers to each prompt.
#include "framework/core/catalogue/declared.h"
#include "framework/core/catalogue/settings.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<SampleSettings> declare_sample() {
  Declared<SampleSettings> d{"sample k answers to each prompt from a policy", "RS-DPO, section 2.3"};
  auto& p = d.params;
  using S = SampleSettings;
  p.add(&S::model, "model", "the policy that answers").accepts({type::model}).required();
  p.add(&S::prompts, "prompts", "what to answer; of preferences and demonstrations the prompt")
      .accepts({type::prompts, type::preferences, type::demonstrations})
      .required();
  p.add(&S::generator, "generator", "what runs the model").component("generator");
  p.add(&S::k, "k", "answers for each prompt").at_least(1).at_most(4096);
  p.add(&S::max_new_tokens, "max_new_tokens", "an answer is cut here").at_least(1).unit("tokens");
  p.add(&S::temperature, "temperature", "divides the logits; 0 is greedy").at_least(0);
  p.add(&S::top_k, "top_k", "draw from the k most probable tokens, ties kept; 0: from all").at_least(0);
  p.add(&S::top_p, "top_p", "then from the fewest that hold this probability").above(0).at_most(1);
  d.rule([](const S& s) -> std::string {
    return s.temperature == 0 && s.k > 1 ? "k: a temperature of 0 gives the same answer k times; k must be 1" : "";
  });
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_sample().kind("sample", type::responses);
  kind.feeds = {{.component = "generator", .input = "model"}};
  kind.models = {.work = ModelWork::samples, .answers = "k", .component = "generator"};
  return kind;
}

const KindRegistration registered(80, make_kind);

}  // namespace

Params<SampleSettings> sample_params() {
  return declare_sample().with_rules();
}

}  // namespace plumb
