#include "framework/engine/training/trainer.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "framework/engine/training/batch_share.h"
#include "framework/engine/training/checkpoint.h"
#include "framework/engine/training/numbers.h"
#include "framework/engine/training/schedule.h"

namespace plumb {
namespace {

const std::string kObjective = "objective/";  // of an objective's own tensors in a checkpoint

// Means over the examples seen since the last row of metrics.
struct Window {
  double loss_sum = 0;
  std::int64_t updates = 0, examples = 0;
  std::map<std::string, double> sums;

  void add(const std::map<std::string, double>& means, std::int64_t count) {
    for (const auto& [name, mean] : means) sums[name] += mean * static_cast<double>(count);
  }
  [[nodiscard]] double loss() const { return updates == 0 ? 0 : loss_sum / static_cast<double>(updates); }
  [[nodiscard]] Value to_value() const {
    return Value::map({{"loss_sum", loss_sum}, {"updates", updates}, {"examples", examples}, {"sums", value_of(sums)}});
  }
  static Window from(const Value& value) {
    Window window;
    window.loss_sum = value.at("loss_sum").as_double();
    window.updates = value.at("updates").as_int();
    window.examples = value.at("examples").as_int();
    window.sums = numbers_of(value.at("sums"));
    return window;
  }
};

UpdateRule::Settings rule_settings(const TrainingSettings& s) {
  return {.beta1 = s.adam_beta1, .beta2 = s.adam_beta2, .epsilon = s.adam_epsilon, .weight_decay = s.weight_decay};
}

class Loop {
 public:
  Loop(const TrainingRun& run, const TrainingSettings& settings, StageContext& context)
      : run_(run),
        settings_(settings),
        context_(context),
        rule_(run.tensors, rule_settings(settings), run.in_parts),
        plan_(batch_plan(run.train->size(), run.order, settings, context.random())),
        schedule_(settings, plan_.updates() / run.updates_per_step),
        dropout_(context.random().derive("dropout")),
        checkpoints_(context.work_folder() / "checkpoints") {}

  TrainingResult run() {
    resume();
    warn_of_idle_ranks();
    try {
      if (evaluation_due_) evaluate_now();
      while (done_ < plan_.updates()) one_update();
    } catch (const Cancelled&) {
      if (done_ != saved_) save();
      throw;
    } catch (const RankMissing&) {  // the others are lost before an update, not in it
      if (done_ != saved_ && !rule_.in_parts()) save();
      throw;
    }
    rule_.finish();
    result_.updates = done_;
    result_.epochs = epochs();
    result_.tokens = tokens_;
    return result_;
  }

 private:
  [[nodiscard]] std::int64_t step() const { return done_ / run_.updates_per_step; }
  [[nodiscard]] bool due(std::int64_t every) const { return every > 0 && done_ % (every * run_.updates_per_step) == 0; }
  [[nodiscard]] double epochs() const {
    if (run_.epochs_per_update > 0) return static_cast<double>(done_) * run_.epochs_per_update;
    return static_cast<double>(done_) / static_cast<double>(plan_.updates_per_epoch());
  }

  void one_update() {
    if (any_rank(ranks(), context_.cancelled(), norm_)) throw Cancelled{};
    update();
    const bool last = done_ == plan_.updates();
    if (done_ == run_.updates_per_step || last || due(settings_.logging_steps)) log();
    evaluation_due_ = (run_.eval != nullptr || run_.measure) && (last || due(settings_.eval_steps));
    if (evaluation_due_) evaluate_now();
    if (!last && due(settings_.save_steps)) save();
    context_.progress("training", static_cast<std::size_t>(done_), static_cast<std::size_t>(plan_.updates()));
  }

  void update() {
    auto batch = plan_.batch(done_);
    run_.train->arrange(batch);
    run_.train->starting(done_);
    const BatchTotals totals = run_.train->totals(batch);
    const auto micros = micro_batches(batch, settings_.micro_batch_size);
    const double loss = loss_and_gradients(micros, totals);
    norm_ = rule_.gradient_norm();
    if (!std::isfinite(loss) || !std::isfinite(norm_)) refuse(batch, loss);
    rule_.clip(norm_, settings_.max_grad_norm);
    rate_ = schedule_.rate(step());
    rule_.step(rate_);
    require_finite_weights();

    if (done_ == 0) result_.first_loss = loss;
    ++done_;
    ++window_.updates;
    window_.loss_sum += loss;
    window_.examples += totals.examples;
    tokens_ += totals.tokens;
  }

  void warn_of_idle_ranks() {
    const std::int64_t world = ranks().world(), size = settings_.micro_batch_size;
    const std::int64_t micros = size > 0 ? (settings_.batch_size + size - 1) / size : 1;
    if (micros >= world) return;
    const std::string cure =
        settings_.batch_size < world
            ? "batch_size " + std::to_string(settings_.batch_size) + " is smaller than that"
            : "micro_batch_size: " + std::to_string(settings_.batch_size / world) + " gives all some";
    context_.log(LogLevel::warning, "an update has " + std::to_string(micros) + " micro-batch" +
                                        (micros == 1 ? "" : "es") + " for " + std::to_string(world) +
                                        " ranks; the others have nothing to compute; " + cure);
  }

  double loss_and_gradients(const std::vector<std::span<const std::size_t>>& micros, const BatchTotals& totals) {
    BatchShare share(ranks(), rule_.whole(), micros.size());
    for (std::size_t number = 0; number < micros.size(); ++number) {
      if (!share.mine(number)) continue;
      seed_dropout(number);
      rule_.begin_round(share.contributing(number));
      MicroLoss loss = run_.train->micro_loss(micros[number], totals);
      loss.share.backward();
      rule_.end_round();
      share.add(number, loss);
    }
    if (rule_.in_parts() && share.idle_at_the_end()) {  // the others need this rank's parts
      rule_.begin_round(share.contributing(micros.size() - 1));
      run_.train->micro_loss(micros.front(), totals).share.backward();
      rule_.end_round();
    }
    rule_.hand_out();
    const std::vector<MicroResult> results = share.finish();
    window_.add(run_.train->batch_metrics(), totals.examples);  // now that nothing can come between
    for (std::size_t number = 0; number < micros.size(); ++number) {
      window_.add(results[number].metrics, static_cast<std::int64_t>(micros[number].size()));
    }
    return sum_of_losses(results);
  }

  // A draw depends on the update and the micro-batch alone, so resuming needs no generator state.
  void seed_dropout(std::uint64_t micro) {
    const auto seed = dropout_.derive(static_cast<std::uint64_t>(done_)).bits_at(micro);
    at::Generator generator = at::globalContext().defaultGenerator(run_.tensors.front().value.device());
    generator.set_current_seed(seed);
  }

  void log() {
    std::map<std::string, double> row;
    for (const auto& [name, sum] : window_.sums) row[name] = sum / static_cast<double>(window_.examples);
    row["loss"] = result_.last_loss = window_.loss();
    row["learning_rate"] = rate_;
    row["grad_norm"] = norm_;
    row["epoch"] = epochs();
    row["num_tokens"] = static_cast<double>(tokens_);
    context_.metrics(step(), row);
    window_ = {};
  }

  void evaluate_now() {
    result_.eval.clear();
    const std::int64_t size = settings_.micro_batch_size > 0 ? settings_.micro_batch_size : settings_.batch_size;
    const auto measured = run_.measure ? run_.measure() : evaluate(*run_.eval, size, rule_.in_parts());
    evaluation_due_ = false;
    if (done_ == 0) result_.first_measured = measured;
    for (const auto& [name, value] : measured) result_.eval["eval_" + name] = value;
    auto row = result_.eval;
    row["epoch"] = epochs();
    context_.metrics(step(), row);
  }

  void save() {
    if (ranks().leads()) {
      write_checkpoint();  // of what all ranks have
    } else if (rule_.in_parts()) {
      make_safetensors(rule_.state());
    }
    saved_ = done_;
  }

  void write_checkpoint() {
    Value::List updates;
    for (const std::int64_t count : rule_.updates()) updates.emplace_back(count);
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    Objective::NamedTensors more;
    Value objective = run_.train->save(more);
    for (auto& [name, tensor] : more) tensors.emplace_back(kObjective + name, std::move(tensor));
    checkpoints_.write({.step = done_,
                        .state = Value::map({{"updates", Value(std::move(updates))},
                                             {"planned", plan_.updates()},
                                             {"tokens", tokens_},
                                             {"first_loss", result_.first_loss},
                                             {"last_loss", result_.last_loss},
                                             {"first_measured", value_of(result_.first_measured)},
                                             {"evaluation_due", evaluation_due_},
                                             {"window", window_.to_value()},
                                             {"objective", std::move(objective)}}),
                        .tensors = std::move(tensors),
                        .made = rule_.state()});
  }

  void resume() {
    std::vector<std::string> complaints;
    const auto checkpoint = checkpoints_.last(&complaints);
    for (const std::string& complaint : complaints)
      context_.log(LogLevel::warning, "skipping a checkpoint: " + complaint);
    if (!checkpoint) {
      evaluation_due_ = static_cast<bool>(run_.measure);
      context_.rewind_metrics(-1);
      return;
    }
    const Value& state = checkpoint->state;
    if (state.at("planned").as_int() != plan_.updates()) {
      throw Error(ErrorCode::data, checkpoints_.folder().string() + ": the checkpoint belongs to a run of " +
                                       std::to_string(state.at("planned").as_int()) + " updates; this one has " +
                                       std::to_string(plan_.updates()) + ". Remove the folder to start again");
    }
    std::vector<std::int64_t> updates;
    for (const Value& count : state.at("updates").as_list()) updates.push_back(count.as_int());
    std::map<std::string, at::Tensor> of_rule, of_objective;
    for (const auto& [name, tensor] : checkpoint->tensors) {
      if (name.starts_with(kObjective)) {
        of_objective[name.substr(kObjective.size())] = tensor;
      } else {
        of_rule[name] = tensor;
      }
    }
    rule_.restore(of_rule, updates);
    if (const std::string tensor = rule_.first_bad_value(); !tensor.empty()) {
      throw Error(ErrorCode::data, checkpoints_.folder().string() + ": the checkpoint of update " +
                                       std::to_string(checkpoint->step) + " holds weights of " + tensor +
                                       " that are NaN or infinite. Remove the folder to start again");
    }
    run_.train->restore(state.at("objective"), of_objective);
    done_ = saved_ = checkpoint->step;
    tokens_ = state.at("tokens").as_int();
    result_.first_loss = state.at("first_loss").as_double();
    result_.last_loss = state.at("last_loss").as_double();
    result_.first_measured = numbers_of(state.at("first_measured"));
    evaluation_due_ = state.at("evaluation_due").as_bool();
    window_ = Window::from(state.at("window"));
    // An evaluation that is still due has no row; the loss of the same step has.
    context_.rewind_metrics(step());
    context_.log(LogLevel::info, "going on from the checkpoint of update " + std::to_string(done_));
  }

  // After every update, so that neither a checkpoint nor the model ever holds a weight that is no number.
  void require_finite_weights() {
    const std::string tensor = rule_.first_bad_value();
    if (tensor.empty()) return;
    const std::string kept = saved_ > 0 ? "the checkpoint of update " + std::to_string(saved_) + " is the last one kept"
                                        : "there is no checkpoint";
    throw Error(ErrorCode::run_failed,
                "update " + std::to_string(done_ + 1) + " of " + std::to_string(plan_.updates()) + " made weights of " +
                    tensor + " NaN or infinite, although loss and gradient were finite; nothing of it was saved, " +
                    kept + ". Look at learning_rate, weight_decay, adam_epsilon and the betas");
  }

  // Which of the examples alone give a loss or a gradient that is not finite.
  std::string culprits(const std::vector<std::size_t>& batch) {
    std::string names;
    int found = 0;
    for (const std::size_t example : batch) {
      rule_.clear_gradients();
      const std::vector<std::size_t> one{example};
      rule_.begin_round(1);
      MicroLoss loss = run_.train->micro_loss(one, run_.train->totals(one));
      loss.share.backward();
      rule_.end_round();
      rule_.hand_out();
      if (std::isfinite(loss.share.item<double>()) && std::isfinite(rule_.gradient_norm())) continue;
      if (++found > 8) return names + "; and more";
      names += (names.empty() ? "" : "; ") + run_.train->describe(example);
    }
    rule_.clear_gradients();
    if (found == 0) {
      return "no example by itself, all of them together; the first is " + run_.train->describe(batch.front());
    }
    return names;
  }

  [[noreturn]] void refuse(const std::vector<std::size_t>& batch, double loss) {
    const std::string tensor = rule_.first_bad_gradient();
    const std::string what =
        std::isfinite(loss)
            ? "the gradient of " + (tensor.empty() ? "all tensors together" : tensor)
            : "the loss (" + std::to_string(loss) + ")" + (tensor.empty() ? "" : " and the gradient of " + tensor);
    std::string kept =
        saved_ > 0 ? "the checkpoint of update " + std::to_string(saved_) + " is kept" : "no update was spoilt";
    throw Error(ErrorCode::run_failed,
                "update " + std::to_string(done_ + 1) + " of " + std::to_string(plan_.updates()) + ": " + what +
                    " is not finite; stopped before the weights changed, " + kept + ". Examples: " + culprits(batch) +
                    ". Look at these rows; a lower learning_rate or dtype: float32 are the usual cures");
  }

  const TrainingRun& run_;
  const TrainingSettings& settings_;
  StageContext& context_;
  TrainedTensors rule_;
  BatchPlan plan_;
  Schedule schedule_;
  Random dropout_;
  CheckpointFolder checkpoints_;
  std::int64_t done_ = 0, saved_ = 0, tokens_ = 0;
  double norm_ = 0, rate_ = 0;
  bool evaluation_due_ = false;
  Window window_;
  TrainingResult result_;
};

}  // namespace

BatchPlan batch_plan(std::size_t examples, const EpochOrder& order, const TrainingSettings& settings, Random run) {
  return {{.examples = examples,
           .batch_size = settings.batch_size,
           .epochs = settings.num_train_epochs,
           .max_steps = settings.max_steps},
          order,
          run.derive("batches")};
}

std::map<std::string, double> evaluate(Objective& objective, std::int64_t micro_batch_size, bool together) {
  const at::NoGradGuard no_grad;
  auto rows = in_order(objective.size())(Random(0));
  objective.arrange(rows);
  const BatchTotals totals = objective.totals(rows);
  const auto micros = micro_batches(rows, micro_batch_size);
  BatchShare share(ranks(), {}, micros.size());
  for (std::size_t number = 0; number < micros.size(); ++number) {
    if (share.mine(number)) share.add(number, objective.micro_loss(micros[number], totals));
  }
  if (together && share.idle_at_the_end()) objective.micro_loss(micros.front(), totals);
  std::map<std::string, double> means;
  double loss = 0;
  const std::vector<MicroResult> results = share.finish();
  for (std::size_t number = 0; number < micros.size(); ++number) {
    loss += results[number].loss;
    const double weight = static_cast<double>(micros[number].size()) / static_cast<double>(rows.size());
    for (const auto& [name, mean] : results[number].metrics) means[name] += mean * weight;
  }
  means["loss"] = loss;
  return means;
}

TrainingResult train(const TrainingRun& run, const TrainingSettings& settings, StageContext& context) {
  if (run.tensors.empty()) throw Error(ErrorCode::run_failed, "no tensor of the model is trainable");
  return Loop(run, settings, context).run();
}

}  // namespace plumb
