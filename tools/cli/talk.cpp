#include "tools/cli/talk.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <atomic>
#include <boost/program_options/value_semantic.hpp>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <set>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/door/engine.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/placement_options.h"
#include "tools/cli/plugin_text.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void plumb_on_interrupt(int) {
  stop = true;
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::recipe, message);
}

std::string models_of_run(const fs::path& run) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(run)) {
    const auto manifest = entry.is_directory() ? read_manifest(entry.path()) : Error(ErrorCode::data, "no folder");
    if (manifest && manifest->type == artifact_type::model) names.insert(entry.path().string());
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

void check_folder(const fs::path& folder) {
  if (fs::exists(folder / "run.json")) {
    const std::string models = models_of_run(folder);
    throw Error(ErrorCode::data, fmt::format("{} is a run, not a model; {}", folder.string(),
                                             models.empty() ? "it has made no model yet" : "its models are " + models));
  }
  const auto manifest = fs::exists(folder / "artifact.json") ? read_manifest(folder) : Error(ErrorCode::data, "none");
  if (manifest && manifest->type != artifact_type::model) {
    throw Error(ErrorCode::data, fmt::format("{} holds an artifact of type {}; wanted a model, which can speak",
                                             folder.string(), manifest->type));
  }
}

}  // namespace

void add_talk_options(po::options_description& options) {
  const Sampling usual;
  options.add_options()(
      "model", po::value<std::string>()->required(),
      "a Hugging Face folder, an adapter's folder, or a model of a run such as runs/quickstart/aligned")(
      "system", po::value<std::string>()->value_name("TEXT"), "a system message before the conversation")(
      "greedy", "always the most probable token")(
      "temperature", po::value<double>()->default_value(usual.temperature, "1")->value_name("T"), "0: greedy")(
      "top-k", po::value<std::int64_t>()->default_value(usual.top_k)->value_name("K"),
      "draw from the K most probable tokens; 0: from all")(
      "top-p", po::value<double>()->default_value(usual.top_p, "1")->value_name("P"),
      "draw from the most probable tokens that together reach P")(
      "max-new-tokens", po::value<std::int64_t>()->default_value(usual.max_new_tokens)->value_name("N"),
      "the longest answer")("seed", po::value<std::uint64_t>()->default_value(1)->value_name("S"),
                            "the same seed gives the same answer")(
      "chat-format", po::value<std::string>()->default_value("")->value_name("NAME"),
      "how turns are written, for a folder without plumb.json");
  add_placement_options(options);
  add_plugin_option(options);
}

Sampling sampling_of(const po::variables_map& given) {
  Sampling out;
  out.responses = 1;
  out.temperature = given["temperature"].as<double>();
  out.top_k = given["top-k"].as<std::int64_t>();
  out.top_p = given["top-p"].as<double>();
  out.max_new_tokens = given["max-new-tokens"].as<std::int64_t>();
  out.seed = given["seed"].as<std::uint64_t>();
  if (!(out.temperature >= 0 && out.temperature <= 1e6)) refuse("--temperature must be 0 (greedy) or more");
  if (out.top_k < 0) refuse("--top-k must be 0 (off) or more");
  if (!(out.top_p > 0 && out.top_p <= 1)) refuse("--top-p must be above 0 and at most 1");
  if (out.max_new_tokens < 1) refuse("--max-new-tokens must be at least 1");
  if (given.count("greedy") != 0) {
    if (!given["temperature"].defaulted() && out.temperature != 0)
      refuse("--greedy and --temperature exclude each other");
    out.temperature = 0;
  }
  return out;
}

std::string system_of(const po::variables_map& given) {
  return given.count("system") != 0 ? given["system"].as<std::string>() : std::string();
}

bool TalkHost::cancelled() const {
  return interrupted();
}

void stop_answers_on_interrupt() {
  struct sigaction action {};
  action.sa_handler = plumb_on_interrupt;  // without SA_RESTART: a read that waits for a line returns
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

bool interrupted() {
  return stop;
}

void clear_interrupt() {
  stop = false;
}

std::unique_ptr<Answerer> open_to_talk(const po::variables_map& given, const Registry& registry, Host& host) {
  const auto text = [&](const char* name) { return given[name].as<std::string>(); };
  const OpenAnswerer how{text("model"), text("chat-format"), placement_of(given)};
  check_folder(how.folder);
  return Engine::open().answerer(how, registry, host);
}

void say(std::string_view text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  (terminal ? std::cout : unfiltered_output()) << text << std::flush;
}

}  // namespace plumb::cli
