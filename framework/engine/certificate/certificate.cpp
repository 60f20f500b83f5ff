#include "framework/engine/certificate/certificate.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "framework/engine/certificate/checks.h"
#include "framework/engine/certificate/likelihood.h"

namespace plumb {
namespace {

// How often the chosen answer of a real pair has the higher reward. The groups hold the data's answers first: of a
// preference chosen and rejected, in this order.
void order_pairs(LanguageModel& model, const Material& material, RealRows& out) {
  const at::NoGradGuard no_gradients;
  for (const SequenceGroup& group : material.real) {
    if (group.completions.size() < 2) continue;
    const at::Tensor rewards = completion_rewards(model, {&group, 1}, {});
    ++out.pairs;
    out.ordered += rewards[0].item<double>() > rewards[1].item<double>() ? 1 : 0;
  }
}

RealRows measure_real(LanguageModel& model, const Material& material) {
  RealRows out;
  try {
    if (model.score != nullptr) {
      order_pairs(model, material, out);
      return out;
    }
    const Likelihood found = likelihood_of(model, material);
    out.tokens = found.tokens;
    out.nats = found.nats;
    out.uniform = found.uniform;
    out.unigram = found.unigram;
    if (found.far_above()) {
      out.warning =
          "far above a unigram model of these rows: the model was not trained for such text, or its weights, "
          "config.json (rope_theta, norm epsilon, order of layers), tokenizer or chat format do not belong together";
    }
  } catch (const std::exception& error) {
    out.problem = error.what();
  }
  return out;
}

CertifiedModel certify_subject(const Subject& subject, const Registry& registry, Host& host,
                               const CertifyOptions& options) {
  CertifiedModel out{subject.name,
                     subject.folder,
                     subject.reward ? artifact_type::reward_model : artifact_type::model,
                     "",
                     0,
                     0,
                     0,
                     {},
                     {}};
  LanguageModel model = open_subject(subject, registry, host, {});
  const Material material = material_for(subject, model, host, options);
  out.rows = material.origin;
  out.parameters = model.parameter_count();
  out.sequences = static_cast<std::int64_t>(material.sequences().size());
  out.tokens = material.tokens();
  if (!material.real.empty()) out.real = measure_real(model, material);
  const Measuring with{subject, material, registry, host};
  for (auto&& checks : {model_checks(with, model), folder_checks(with, model), training_checks(with)}) {
    out.checks.insert(out.checks.end(), checks.begin(), checks.end());
  }
  return out;
}

Value to_value(const RealRows& real) {
  if (!real.problem.empty()) return Value::map({{"problem", real.problem}});
  if (real.tokens == 0) return Value::map({{"pairs", real.pairs}, {"ordered", real.ordered}});
  Value out = Value::map({{"tokens", real.tokens},
                          {"nats", std::isfinite(real.nats) ? Value(real.nats) : Value()},
                          {"uniform", real.uniform},
                          {"unigram", real.unigram}});
  if (!real.warning.empty()) out.set("warning", real.warning);
  return out;
}

Value to_value(const Check& check) {
  Value out = Value::map({{"name", check.name}, {"what", check.what}, {"bound", check.bound}});
  const bool number = check.problem.empty() && std::isfinite(check.measured);
  out.set("measured", number ? Value(check.measured) : Value());
  out.set("holds", check.holds());
  if (!check.problem.empty()) out.set("problem", check.problem);
  return out;
}

}  // namespace

bool CertifiedModel::holds() const {
  return !checks.empty() && std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.holds(); });
}

bool Certificate::holds() const {
  return !models.empty() && std::all_of(models.begin(), models.end(), [](const auto& model) { return model.holds(); });
}

Value to_value(const Certificate& certificate) {
  Value models = Value::list({});
  for (const CertifiedModel& model : certificate.models) {
    Value checks = Value::list({});
    for (const Check& check : model.checks) checks.as_list().push_back(to_value(check));
    models.as_list().push_back(Value::map({{"name", model.name},
                                           {"folder", model.folder.string()},
                                           {"type", model.type},
                                           {"rows", model.rows},
                                           {"parameters", model.parameters},
                                           {"sequences", model.sequences},
                                           {"tokens", model.tokens},
                                           {"real_rows", model.real ? to_value(*model.real) : Value()},
                                           {"holds", model.holds()},
                                           {"checks", std::move(checks)}}));
  }
  return Value::map({{"holds", certificate.holds()}, {"models", std::move(models)}});
}

Certificate certify(const std::filesystem::path& run_or_model, const Registry& registry, Host& host,
                    const CertifyOptions& options) {
  Certificate out;
  for (Subject& subject : subjects_of(run_or_model)) {
    subject.device = options.device;
    host.progress("certifying", out.models.size(), 0);
    out.models.push_back(certify_subject(subject, registry, host, options));
  }
  return out;
}

}  // namespace plumb

void plumb_engine_certify(const std::filesystem::path& run_or_model, const std::filesystem::path& text,
                          const std::string& device, const plumb::Registry& registry, plumb::Host& host,
                          plumb::Value& out) {
  plumb::CertifyOptions options;
  options.text = text;
  options.device = device;
  out = plumb::to_value(plumb::certify(run_or_model, registry, host, options));
}
