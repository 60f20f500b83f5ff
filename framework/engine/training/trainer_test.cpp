#include "framework/engine/training/trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/training/recording_context.h"

namespace {
using plumb::test::Folder;
using plumb::test::RecordingContext;

// A line through points: loss = mean over the batch of (w0 + w1 x - y)^2, on purpose written per example.
class Line final : public plumb::Objective {
 public:
  at::Tensor weights = at::zeros({2}).requires_grad_();
  std::vector<std::pair<float, float>> points;
  bool noisy = false;  // random numbers in the loss, as dropout would
  bool record = false;
  std::vector<std::vector<std::size_t>> seen;

  explicit Line(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = static_cast<float>(i) / static_cast<float>(n);
      points.emplace_back(x, 3 * x - 1 + 0.1F * std::sin(static_cast<float>(7 * i)));
    }
  }
  [[nodiscard]] std::size_t size() const override { return points.size(); }
  [[nodiscard]] std::string describe(std::size_t i) const override { return "row " + std::to_string(i); }
  [[nodiscard]] plumb::BatchTotals totals(std::span<const std::size_t> batch) const override {
    const auto n = static_cast<std::int64_t>(batch.size());
    return {n, n, 10 * n};
  }
  [[nodiscard]] plumb::MicroLoss micro_loss(std::span<const std::size_t> micro,
                                            const plumb::BatchTotals& totals) override {
    if (record) seen.emplace_back(micro.begin(), micro.end());
    std::vector<float> xs, ys;
    for (const std::size_t i : micro) {
      xs.push_back(points[i].first);
      ys.push_back(points[i].second);
    }
    at::Tensor errors = weights[0] + weights[1] * at::tensor(xs) - at::tensor(ys);
    if (noisy && at::GradMode::is_enabled()) errors = errors * at::rand({static_cast<std::int64_t>(micro.size())});
    const at::Tensor squares = errors.square();
    return {squares.sum() / static_cast<double>(totals.examples),
            {{"first", static_cast<double>(micro.front())}, {"error", squares.mean().item<double>()}}};
  }
};

plumb::TrainingSettings settings() {
  plumb::TrainingSettings s;
  s.batch_size = 4;
  s.learning_rate = 0.05;
  s.num_train_epochs = 3;
  s.logging_steps = 2;
  s.save_steps = 0;
  return s;
}

plumb::TrainingRun run_of(Line& line, Line* eval = nullptr) {
  return {{{"w", line.weights, true}}, &line, plumb::shuffled(line.size()), eval};
}

double row_value(const RecordingContext& context, std::int64_t step, const std::string& name) {
  for (const auto& [at, row] : context.rows) {
    if (at == step && row.contains(name)) return row.at(name);
  }
  BOOST_FAIL("no " << name << " at step " << step);
  return 0;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(trainer)

BOOST_AUTO_TEST_CASE(it_learns_a_line) {
  const Folder folder;
  RecordingContext context(folder.path());
  Line line(40);
  auto s = settings();
  s.num_train_epochs = 40;
  const auto result = plumb::train(run_of(line), s, context);
  BOOST_TEST(result.updates == 400);
  BOOST_TEST(result.epochs == 40.0);
  BOOST_TEST(result.tokens == 40 * 40 * 10);
  BOOST_TEST(result.last_loss < 0.02);
  BOOST_TEST(line.weights[1].item<double>() == 3.0, boost::test_tools::tolerance(0.05));
}

BOOST_AUTO_TEST_CASE(micro_batches_give_the_batchs_update) {
  const auto weights_with = [](std::int64_t micro) {
    const Folder folder;
    RecordingContext context(folder.path());
    Line line(10);  // batches of 4, 4, 2: the short one counts, too
    auto s = settings();
    s.micro_batch_size = micro;
    plumb::train(run_of(line), s, context);
    return line.weights.detach().clone();
  };
  const at::Tensor whole = weights_with(0);
  for (const std::int64_t micro : {1, 2, 3}) {
    BOOST_TEST((weights_with(micro) - whole).abs().max().item<double>() < 1e-6);
  }
}

BOOST_AUTO_TEST_CASE(metrics_carry_trls_names_and_means_over_examples) {
  const Folder folder;
  RecordingContext context(folder.path());
  Line line(10), held_out(6);
  held_out.weights = line.weights;
  auto s = settings();
  s.micro_batch_size = 3;
  s.eval_steps = 4;
  s.lr_scheduler_type = "linear";
  const auto result = plumb::train(run_of(line, &held_out), s, context);

  std::vector<std::int64_t> steps;
  for (const auto& [step, row] : context.rows) {
    if (row.contains("loss")) steps.push_back(step);
  }
  BOOST_TEST((steps == std::vector<std::int64_t>{1, 2, 4, 6, 8, 9}));
  BOOST_TEST(row_value(context, 1, "learning_rate") == 0.05);
  BOOST_TEST(row_value(context, 9, "learning_rate") == 0.05 / 9, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(row_value(context, 6, "epoch") == 2.0);
  BOOST_TEST(row_value(context, 6, "num_tokens") == 200.0);
  BOOST_TEST(row_value(context, 2, "grad_norm") > 0.0);
  // error is the mean over the 4 examples of update 1, from micro-batches of 3 and 1; so is the loss.
  BOOST_TEST(row_value(context, 1, "error") == row_value(context, 1, "loss"), boost::test_tools::tolerance(1e-6));
  BOOST_TEST(row_value(context, 4, "eval_loss") > 0.0);
  BOOST_TEST(result.eval.at("eval_loss") == row_value(context, 9, "eval_loss"));
  const auto direct = plumb::evaluate(held_out, 4);
  BOOST_TEST(result.eval.at("eval_error") == direct.at("error"), boost::test_tools::tolerance(1e-6));
  BOOST_TEST(direct.at("loss") == direct.at("error"), boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(stopped_and_resumed_at_any_update_ends_with_the_same_bits) {
  auto s = settings();  // 10 examples, batch 4: epochs end after updates 3, 6 and 9
  s.micro_batch_size = 3;
  s.save_steps = 4;
  s.warmup_ratio = 0.3;
  s.weight_decay = 0.1;
  const auto make = [] {
    Line line(10);
    line.noisy = true;
    return line;
  };
  const Folder whole_folder;
  RecordingContext whole(whole_folder.path());
  Line straight = make();
  const auto wanted = plumb::train(run_of(straight), s, whole);

  for (std::size_t stop = 1; stop < 9; ++stop) {
    BOOST_TEST_CONTEXT("stopped after update " << stop) {
      const Folder folder;
      Line line = make();
      RecordingContext context(folder.path());
      context.stop_after = stop;
      BOOST_CHECK_THROW(plumb::train(run_of(line), s, context), plumb::Cancelled);
      Line again = make();  // a new process: nothing but the folder remains
      at::rand({13});       // and its generator stands elsewhere
      RecordingContext resumed(folder.path());
      resumed.rows = context.rows;
      const auto result = plumb::train(run_of(again), s, resumed);
      BOOST_TEST(at::equal(again.weights, straight.weights));
      BOOST_TEST(result.last_loss == wanted.last_loss);
      BOOST_TEST(result.first_loss == wanted.first_loss);
      BOOST_TEST(result.tokens == wanted.tokens);
      BOOST_TEST((resumed.rows == whole.rows));
    }
  }
}

BOOST_AUTO_TEST_CASE(killed_between_checkpoints_it_repeats_the_lost_updates) {
  auto s = settings();
  s.save_steps = 4;
  const Folder whole_folder, folder;
  RecordingContext whole(whole_folder.path());
  Line straight(10);
  plumb::train(run_of(straight), s, whole);

  RecordingContext context(folder.path());
  Line line(10);
  context.stop_after = 6;
  BOOST_CHECK_THROW(plumb::train(run_of(line), s, context), plumb::Cancelled);
  // What kill -9 after update 6 leaves: the checkpoint of update 4 and metrics up to 6.
  const Folder killed;
  RecordingContext before(killed.path());
  Line first(10);
  before.stop_after = 4;
  BOOST_CHECK_THROW(plumb::train(run_of(first), s, before), plumb::Cancelled);
  Line again(10);
  RecordingContext resumed(killed.path());
  resumed.rows = context.rows;
  resumed.rows.emplace_back(6, std::map<std::string, double>{{"torn", 1}});
  plumb::train(run_of(again), s, resumed);
  BOOST_TEST(at::equal(again.weights, straight.weights));
  BOOST_TEST((resumed.rows == whole.rows));
}

BOOST_AUTO_TEST_CASE(a_nan_stops_the_run_before_the_update_and_names_the_row) {
  const Folder folder;
  RecordingContext context(folder.path());
  Line line(10);
  line.points[6].second = std::nanf("");
  auto s = settings();
  s.save_steps = 1;
  s.lr_scheduler_type = "constant";
  try {
    plumb::train(run_of(line), s, context);
    BOOST_FAIL("no error");
  } catch (const plumb::Error& error) {
    const std::string message = error.what();
    BOOST_TEST_INFO(message);
    BOOST_TEST(static_cast<int>(error.code()) == 1);
    BOOST_TEST(message.find("row 6") != std::string::npos);
    BOOST_TEST(message.find("gradient of w") != std::string::npos);
    BOOST_TEST(message.find("of 9:") != std::string::npos);
  }
  BOOST_TEST(std::isfinite(line.weights.sum().item<double>()));
  BOOST_TEST(!line.weights.grad().defined());
}

// What AdamW makes of settings that overflow float32: w - lr * 1e300 * w, and 0 / (sqrt(0) + 1e-300).
BOOST_AUTO_TEST_CASE(weights_that_an_update_made_infinite_are_never_saved) {
  struct Case {
    double weight_decay, adam_epsilon;
    std::int64_t max_steps;
  };
  for (const Case& c : {Case{1e300, 1e-8, 1}, Case{0, 1e-300, 1}, Case{1e300, 1e-8, 3}}) {
    const Folder folder;
    RecordingContext context(folder.path());
    Line line(10);
    {
      const at::NoGradGuard no_grad;
      line.weights.fill_(1);
    }
    if (c.adam_epsilon < 1e-100) {  // a loss without a gradient: the points lie on the line
      for (auto& [x, y] : line.points) y = 1 + x;
    }
    auto s = settings();
    s.weight_decay = c.weight_decay;
    s.adam_epsilon = c.adam_epsilon;
    s.max_steps = c.max_steps;
    s.save_steps = 1;
    std::string message;
    try {
      plumb::train(run_of(line), s, context);
    } catch (const plumb::Error& error) {
      message = error.what();
    }
    BOOST_TEST_CONTEXT(message) {
      BOOST_TEST(message.find("update 1 of " + std::to_string(c.max_steps) + " made weights of w NaN or infinite") ==
                 0);
      BOOST_TEST(message.find("there is no checkpoint") != std::string::npos);
      BOOST_TEST(!std::filesystem::exists(context.work_folder() / "checkpoints"));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_last_finite_checkpoint_is_named_and_kept) {
  const Folder folder;
  RecordingContext context(folder.path());
  Line line(10);
  {
    const at::NoGradGuard no_grad;
    line.weights.fill_(1e-20);
  }
  auto s = settings();  // an update multiplies by 1 - 0.05 * 1e32: to -5e10, then past float32's 3.4e38
  s.lr_scheduler_type = "constant";
  s.weight_decay = 1e32;
  s.max_steps = 3;
  s.save_steps = 1;
  const auto attempt = [&]() -> std::string {
    try {
      plumb::train(run_of(line), s, context);
    } catch (const plumb::Error& error) {
      return error.what();
    }
    return {};
  };
  const std::string message = attempt();
  BOOST_TEST(message.find("update 2 of 3 made weights of w NaN or infinite") == 0, message);
  BOOST_TEST(message.find("the checkpoint of update 1 is the last one kept") != std::string::npos, message);
  BOOST_TEST(attempt() == message);  // from that checkpoint: its weights were finite
}

BOOST_AUTO_TEST_CASE(nothing_trainable_is_an_error) {
  const Folder folder;
  RecordingContext context(folder.path());
  Line line(10);
  BOOST_CHECK_THROW(plumb::train({{}, &line, plumb::shuffled(10), nullptr}, settings(), context), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
