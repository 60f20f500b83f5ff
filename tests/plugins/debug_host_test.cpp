// The debug host sees both sides: calls that the framework makes wrongly, and calls that a plugin makes wrongly.
#include <dlfcn.h>

#include <boost/core/demangle.hpp>
#include <mutex>
#include <thread>
#include <typeinfo>

#include "framework/core/components/load_tokenizer.h"
#include "framework/core/components/make.h"
#include "plumb/data_source.h"
#include "plumb/generator.h"
#include "plumb/judge.h"
#include "plumb/tensor/optimizer.h"
#include "plumb/tokenizer.h"
#include "sdk/debug_host/debug_host.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

const std::string kSmoke = (fs::path(PLUMB_SOURCE_DIR) / "recipes/lab/smoke.yaml").string();

// Broken plugins have one library, whose file's name says how it is broken.
fs::path answers_called(const Folder& folder, const std::string& name) {
  const fs::path from = kPlugins / "broken/broken-answers.plumb.so";
  const fs::path file = folder / (name + ".plumb.so");
  fs::copy_file(from, file);
  fs::copy_file(schema_file(from), schema_file(file));
  return file;
}

struct Heard {
  Heard() {
    debug_host::set_handler([this](const debug_host::Violation& violation) {
      const std::lock_guard lock(mutex);
      all.push_back(violation.text());
    });
  }
  ~Heard() { debug_host::set_handler({}); }
  std::mutex mutex;
  std::vector<std::string> all;
};

struct Scene {
  explicit Scene(const std::string& name = "sound") : registry(Registry::scan({{answers_called(folder, name)}, {}})) {}
  template <class T>
  std::shared_ptr<T> make(const std::string& component) {
    return plumb::make<T>(registry, component, Value::map(), host).bare();
  }
  Folder folder;
  Registry registry;
  QuietHost host;
};

std::vector<Prompt> two_prompts() {
  return {{"a", {{"user", "one"}}, {}}, {"b", {{"user", "two"}}, {}}};
}

// Touches nothing of its own after it has handed over, so that it may end meanwhile.
class Once final : public Generator {
 public:
  void generate(std::span<const Prompt>, const Sampling&,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    done(0, {});
  }
};

std::string type_of(const Component& component) {
  return boost::core::demangle(typeid(component).name());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(debug_host_checks)

BOOST_AUTO_TEST_CASE(off_means_the_plugins_own_objects) {
  Scene scene;
  const auto opened = [] { return dlopen("libplumb_debug_host.so", RTLD_NOW | RTLD_NOLOAD) != nullptr; };
  const auto plain = scene.make<Generator>("echo");
  BOOST_TEST(!opened());                                          // the first case that could want it
  BOOST_TEST(type_of(*plain).find("Echo") != std::string::npos);  // not even an indirection
  const Environment on("PLUMB_DEBUG_HOST", "1");
  BOOST_TEST(type_of(*scene.make<Generator>("echo")).find("Watched") != std::string::npos);
  BOOST_TEST(opened());
  const Environment off("PLUMB_DEBUG_HOST", "0");
  BOOST_TEST(type_of(*scene.make<Generator>("echo")).find("Echo") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_lane_entered_from_inside_is_the_frameworks_fault) {
  Scene scene;
  const Environment on("PLUMB_DEBUG_HOST", "1");
  const auto echo = scene.make<Generator>("echo");
  const auto prompts = two_prompts();
  const std::string said = error_of(ErrorCode::run_failed, [&] {
    echo->generate(prompts, {.responses = 1},
                   [&](std::size_t, ResponseGroup&&) { echo->generate(prompts, {.responses = 1}, {}); });
  });
  BOOST_TEST(has(said, "debug host: generator `echo` of test.broken-answers 1.0.0: generate: "));
  BOOST_TEST(has(said, "wanted one call at a time ([lane]); found a call on thread "));
  BOOST_TEST(has(said, "from inside its generate: it is entered again. The framework is at fault, a broken invariant"));
}

BOOST_AUTO_TEST_CASE(a_lane_entered_from_two_threads_is_the_frameworks_fault) {
  Scene scene;
  const Environment on("PLUMB_DEBUG_HOST", "1");
  const auto echo = scene.make<Generator>("echo");
  const auto prompts = two_prompts();
  std::string said;
  echo->generate(prompts, {.responses = 1}, [&](std::size_t i, ResponseGroup&&) {
    if (i != 0) return;
    std::thread([&] {
      pthread_setname_np(pthread_self(), "a-stranger");
      said = error_of(ErrorCode::run_failed, [&] { echo->generate(prompts, {.responses = 1}, {}); });
    }).join();
  });
  BOOST_TEST(has(said, "\"a-stranger\" while thread "));
  BOOST_TEST(has(said, " is inside generate"));
}

BOOST_AUTO_TEST_CASE(a_call_after_the_end_is_seen) {
  Scene scene;
  const Environment on("PLUMB_DEBUG_HOST", "1");
  auto rows = scene.make<DataSource>("rows");
  auto grader = scene.make<Judge>("grader");
  auto bytes = scene.make<Tokenizer>("bytes");
  DataSource& ended_rows = *rows;
  Judge& ended_grader = *grader;
  Tokenizer& ended_bytes = *bytes;
  BOOST_TEST(rows->next().has_value());
  BOOST_TEST(grader->judge({}).score.has_value());
  BOOST_TEST(bytes->encode("ab", false).size() == 2u);
  rows.reset(), grader.reset(), bytes.reset();
  const auto said = [](auto&& call) { return error_of(ErrorCode::run_failed, call); };
  BOOST_TEST(has(said([&] { ended_rows.next(); }), "next: wanted no call after its end; found a call on thread "));
  BOOST_TEST(has(said([&] { static_cast<void>(ended_grader.judge({})); }), " has destroyed it"));
  BOOST_TEST(has(said([&] { static_cast<void>(ended_bytes.encode("a", false)); }), "tokenizer `bytes`"));
}

BOOST_AUTO_TEST_CASE(setup_comes_before_work) {
  Scene scene;
  const Environment on("PLUMB_DEBUG_HOST", "1");
  const auto rows = scene.make<DataSource>("rows");
  BOOST_TEST(rows->files().empty());
  BOOST_TEST(rows->next().has_value());
  const std::string said = error_of(ErrorCode::run_failed, [&] { static_cast<void>(rows->files()); });
  BOOST_TEST(has(said, "wanted files before work starts ([setup]); found a call on thread "));
}

BOOST_AUTO_TEST_CASE(an_end_while_a_call_is_inside_is_seen) {
  Heard heard;
  QuietHost host;
  ComponentInfo info;
  info.kind = Generator::kind;
  auto made =
      debug_host::watch({info, "generator `once`", "responses"}, host, [](Host&) { return std::make_unique<Once>(); });
  auto* once = static_cast<Generator*>(made.get());
  once->generate(two_prompts(), {}, [&](std::size_t, ResponseGroup&&) { made.reset(); });
  BOOST_REQUIRE_EQUAL(heard.all.size(), 1u);
  BOOST_TEST(has(heard.all.front(),
                 "debug host: stage `responses`: generator `once`: its end: wanted no call in it when "
                 "it is destroyed; found thread "));
  BOOST_TEST(has(heard.all.front(), " is inside generate. The framework is at fault"));
}

BOOST_AUTO_TEST_CASE(answers_that_no_stage_looks_at) {
  const Environment on("PLUMB_DEBUG_HOST", "1");
  Scene range("tokenizer-range"), infinite("judge-infinite");
  const auto tokenizer = range.make<Tokenizer>("bytes");
  const std::string ids = error_of(ErrorCode::plugin, [&] { static_cast<void>(tokenizer->encode("x", false)); });
  BOOST_TEST(has(ids, "encode: wanted ids from 0 to 258; found the id "));
  BOOST_TEST(has(ids, "The plugin is at fault"));
  const auto guarded = make_tokenizer(range.registry, "bytes", range.folder.path(), range.host);
  const std::string named = error_of(ErrorCode::plugin, [&] { static_cast<void>(guarded->encode("x", false)); });
  BOOST_TEST(named.starts_with("tokenizer bytes: debug host: "), named);
  const auto judge = infinite.make<Judge>("grader");
  BOOST_TEST(has(error_of(ErrorCode::plugin, [&] { static_cast<void>(judge->judge({})); }),
                 "judge: wanted a finite score; found inf"));
}

BOOST_AUTO_TEST_CASE(tensor_components_are_watched) {
  const Environment on("PLUMB_DEBUG_HOST", "1");
  const Registry registry = scan_folder(kPlugins / "good");
  QuietHost host;
  auto optimizer = make<Optimizer>(registry, "hinge", Value::map(), host).bare();
  BOOST_TEST(type_of(*optimizer).find("WatchedOptimizer") != std::string::npos);
  auto& pairwise = static_cast<PairwiseOptimizer&>(*optimizer);
  BOOST_TEST(!pairwise.per_token());
  optimizer.reset();
  BOOST_TEST(has(error_of(ErrorCode::run_failed, [&] { static_cast<void>(pairwise.per_token()); }),
                 "optimizer `hinge` of test.hinge"));
}

BOOST_AUTO_TEST_CASE(a_plugin_that_hands_over_from_two_threads) {
  const Environment on("PLUMB_DEBUG_HOST", "1");
  Scene scene("done-from-threads");
  Heard heard;
  const auto prompts = two_prompts();
  for (int i = 0; i < 50 && heard.all.empty(); ++i)  // they may miss each other
    scene.make<Generator>("echo")->generate(prompts, {.responses = 1}, [](std::size_t, ResponseGroup&&) {});
  BOOST_REQUIRE(!heard.all.empty());
  BOOST_TEST(
      has(heard.all.front(), "generate's done: wanted calls from one thread at a time; found a call on thread "));
  BOOST_TEST(has(heard.all.front(), "The plugin is at fault"));
}

// Through the command, which must end with the plugin's status although the call is on a thread of the plugin's.
BOOST_AUTO_TEST_CASE(a_plugin_that_speaks_after_its_end_ends_the_run) {
  const Folder folder;
  const std::string plugin = answers_called(folder, "speaks-after-its-end").string();
  const std::string run = "run " + kSmoke + " --quiet --until rewards --plugin " + plugin +
                          " --set stages.responses.generator=echo --runs " + folder.path().string() + "/";
  const Outcome watched = plumb_command(run + "watched --debug-host");
  BOOST_TEST(watched.status == 5, watched.err);
  BOOST_TEST(has(watched.err,
                 "plumb: debug host: stage `responses`: generator `echo` of test.broken-answers 1.0.0: "
                 "Host::log: wanted no call of the host after the component's end; found a call on thread "),
             watched.err);
  BOOST_TEST(!has(watched.err, "must have called exit"), watched.err);
}

BOOST_AUTO_TEST_CASE(the_smoke_recipe_is_clean) {
  const Folder folder;
  const Outcome run = plumb_command("run " + kSmoke + " --quiet --debug-host --runs " + folder.path().string());
  BOOST_TEST(run.status == 0, run.err);
  BOOST_TEST(!has(run.err, "debug host"));
  BOOST_TEST(has(run.out, "0 came from the cache"));
}

BOOST_AUTO_TEST_SUITE_END()
