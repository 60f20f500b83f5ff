// `plumb merge MODEL OUT`: an adapter's folder as one whole model.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iostream>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/door/engine.h"
#include "framework/core/registry/registry.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/command_host.h"
#include "tools/cli/plugins_of_run.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

using Merge = void(const fs::path& adapter, const fs::path& folder, const std::string& dtype, const Registry&, Host&,
                   Value& out);

// Written under another name beside it, so that OUT is there whole or not at all.
class Fresh {
 public:
  explicit Fresh(const fs::path& place) : place_(fs::absolute(place).lexically_normal()) {
    if (!place_.has_filename()) place_ = place_.parent_path();
    temporary_ = place_.parent_path() / fmt::format(".{}.plumb-tmp-{}", place_.filename().string(), ::getpid());
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(place_, ignored))) {
      throw Error(ErrorCode::data, place_.string() + " is there already; name a folder that is not");
    }
    fs::create_directories(place_.parent_path());
  }
  ~Fresh() {
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  }
  Fresh(const Fresh&) = delete;
  Fresh& operator=(const Fresh&) = delete;
  [[nodiscard]] const fs::path& folder() const { return temporary_; }
  void keep() const {
    fs::rename(temporary_, place_);
    sync_folder(place_.parent_path());
  }

 private:
  fs::path place_, temporary_;
};

void check_model(const fs::path& folder) {
  if (!fs::exists(folder / "run.json")) return;
  throw Error(ErrorCode::data, folder.string() + " is a run, not a model; name one of its stages, such as " +
                                   (folder / "aligned").string());
}

}  // namespace

int run_merge(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("model", po::value<std::string>()->required(),
                        "the folder of an adapter, such as runs/quickstart/aligned")(
      "out", po::value<std::string>()->required(), "the folder to write, which must not be there")(
      "dtype", po::value<std::string>()->default_value("float32")->value_name("TYPE"),
      "of the weights: float32, or bfloat16, which rounds small updates away")(
      "json", "print {\"folder\", \"dtype\", \"survives\", \"error\"}");
  add_plugin_option(options);
  const auto given = parse_verb(argc, argv,
                                {"MODEL OUT [--dtype TYPE] [--plugin FILE]... [--json]",
                                 "Writes a whole Hugging Face folder: the base with the adapter folded in. Says what "
                                 "share of the adapter's update\n"
                                 "the weights hold: all of it in float32; in bfloat16 what is below half a step of a "
                                 "weight is lost, and below 99 %\n"
                                 "there is a warning."},
                                options, {"model", "out"});
  if (!given) return 0;
  const fs::path model = (*given)["model"].as<std::string>(), out = (*given)["out"].as<std::string>();
  const auto dtype = (*given)["dtype"].as<std::string>();
  if (dtype != "float32" && dtype != "bfloat16") {
    throw Error(ErrorCode::recipe, fmt::format("--dtype: found `{}`, wanted float32 or bfloat16", dtype));
  }
  check_model(model);
  const Fresh fresh(out);
  CommandHost host;
  const Registry registry = scan_for(model, *given);
  Value result;
  reinterpret_cast<Merge*>(Engine::open().symbol("plumb_engine_merge"))(model, fresh.folder(), dtype, registry, host,
                                                                        result);
  fresh.keep();
  if (given->count("json") != 0) {
    Value shown = Value::map({{"folder", out.string()}});
    for (const auto& [key, value] : result.as_map()) {
      if (key != "text" && key != "faithful") shown.set(key, value);
    }
    unfiltered_output() << to_json(shown, false, 2) << "\n";
  } else {
    std::cout << fmt::format("{}: {}\n", out.string(), result.at("text").as_string());
  }
  if (!result.at("faithful").as_bool()) {
    host.log(LogLevel::warning,
             fmt::format("{} is not the model that was trained; --dtype float32 keeps its update", out.string()));
  }
  return 0;
}

}  // namespace plumb::cli
