// A process that runs a recipe of two stages, small copies of the ones that matter when a run is interrupted:
//
//   answers   like sampling: appends a durable row per prompt, goes on after the rows of an earlier attempt
//   weights   like training: a state that every step changes, metrics, a checkpoint now and then
//
//   faults-worker FOLDER ROWS STEPS MICROSECONDS [stubborn]      the last: ignores requests to stop
//
// Each stage appends its name to FOLDER/bodies when it starts. The exit status is that of `plumb run`.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/pipeline/run.h"
#include "framework/core/pipeline/test_recipe.h"
#include "framework/core/pipeline/test_runner.h"

namespace {

using namespace plumb;
namespace fs = std::filesystem;

struct Pace {
  fs::path folder;
  useconds_t pause;
  bool stubborn;

  void begin(const std::string& stage) const { std::ofstream(folder / "bodies", std::ios::app) << stage + "\n"; }
  void step(const StageContext& context) const {
    ::usleep(pause);
    if (context.cancelled() && !stubborn) throw Cancelled{};
  }
};

void run_answers(StageContext& context, const Pace& pace) {
  pace.begin("answers");
  const std::int64_t rows = context.params().at("rows").as_int();
  const fs::path partial = context.work_folder() / "answers.jsonl";
  std::int64_t done = 0;
  {
    RowWriter writer(partial, true);  // first cuts what a kill tore
    for_each_row(partial, [&](const Value& row, const std::string&) -> Result<void> {
      if (row.at("prompt").as_int() != done) throw Error(ErrorCode::run_failed, "the rows have a gap");
      ++done;
      return {};
    }).value();
    for (; done < rows; ++done) {
      const double draw = context.random().derive(static_cast<std::uint64_t>(done)).uniform_at(0);
      writer.write(Value::map({{"prompt", done}, {"draw", draw}, {"text", std::string(40, 'a')}}));
      writer.flush(true);
      context.progress("prompts", static_cast<std::size_t>(done), static_cast<std::size_t>(rows));
      pace.step(context);
    }
  }
  fs::rename(partial, context.folder() / "answers.jsonl");
  context.summarise("rows", rows);
}

void run_weights(StageContext& context, const Pace& pace) {
  pace.begin("weights");
  const std::int64_t steps = context.params().at("steps").as_int();
  const fs::path checkpoint = context.work_folder() / "checkpoint.json";
  double weight = 0.5;
  std::int64_t step = 0;
  if (fs::exists(checkpoint)) {
    const Value saved = parse_json(read_file(checkpoint).value());
    step = saved.at("step").as_int();
    weight = saved.at("weight").as_double();
    context.rewind_metrics(step);
  }
  while (step < steps) {
    weight = std::sin(weight * 3 + static_cast<double>(step));  // any missed or repeated step shows
    ++step;
    if (step % 2 == 0) context.metrics(step, {{"weight", weight}});
    const bool stopping = context.cancelled() && !pace.stubborn;
    if (step % 7 == 0 || stopping) {
      write_file(checkpoint, to_json(Value::map({{"step", step}, {"weight", weight}}))).value();
    }
    pace.step(context);
  }
  write_file(context.folder() / "model.bin", std::to_string(weight) + std::string(2000, 'w')).value();
}

}  // namespace

int main(int argc, char** argv) try {
  const Pace pace{argv[1], static_cast<useconds_t>(std::atoi(argv[4])), argc > 5};
  test::TestRecipe recipe("faults");
  recipe.add("answers", "answers", Value::map({{"rows", std::int64_t{std::atoi(argv[2])}}}), {}, "responses");
  recipe.add("weights", "weights", Value::map({{"steps", std::int64_t{std::atoi(argv[3])}}, {"data", "answers"}}),
             {{"data", "answers"}}, "model");
  test::FakeRunner runner([&](const std::string& kind, StageContext& context) {
    kind == "answers" ? run_answers(context, pace) : run_weights(context, pace);
  });
  run_recipe(recipe.get(), recipe.text, recipe.registry,
             {.runs = pace.folder / "runs", .form = Progress::Form::lines, .runner = &runner});
  return 0;
} catch (const plumb::Error& error) {
  std::cerr << "plumb: " << error.what() << std::endl;
  return static_cast<int>(error.code());
}
