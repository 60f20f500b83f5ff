// Plugins that are broken in exactly one way: each has the verdict of that fault and no other.
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <iostream>

#include "tests/plugins/conformance/checking.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

const std::string kDescribe = (fs::path(PLUMB_COMMAND).parent_path() / "plumb-describe").string();

double seconds_of_children() {
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// A copy of broken-SOURCE that calls itself `name`, with the description of the original.
fs::path copy_as(const Folder& folder, const std::string& source, const std::string& name) {
  const fs::path from = kPlugins / "broken" / ("broken-" + source + ".plumb.so");
  const fs::path file = folder / (name + ".plumb.so");
  fs::copy_file(from, file);
  const fs::path schema = schema_file(from);
  fs::copy_file(fs::exists(schema) ? schema : kPlugins / "broken/broken-selection.schema.json", schema_file(file));
  return file;
}

// One verdict, in ten seconds: processor time and what a test that hangs may wait, so that a busy machine does not
// count.
void has_verdict(const fs::path& file, const std::string& verdict, const std::string& what) {
  const double before = seconds_of_children();
  const auto start = std::chrono::steady_clock::now();
  const Checked checked = check_plugin(file);
  const double took = seconds_of_children() - before;
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << what << ": " << verdict << ", " << took << " s of processor time, " << wall << " s" << std::endl;
  const std::vector<std::string> wanted =
      verdict.empty() ? std::vector<std::string>{} : std::vector<std::string>{verdict};
  BOOST_TEST(checked.bad == wanted, what << ": " << checked.why << checked.errors);
  BOOST_TEST(checked.status == (verdict.empty() ? 0 : 5), what);
  const double waits = verdict.ends_with("timed-out") ? 8 : 0;
  BOOST_TEST(took + waits <= 10, what);
}

struct Defect {
  const char* name;        // of the file
  const char* verdict;     // the test and how it ends
  bool described = false;  // it shows in the description, which is written anew
};

void each(const std::string& source, const std::vector<Defect>& defects) {
  {
    const Folder folder;
    has_verdict(copy_as(folder, source, "sound"), "", source + " without a defect");
  }
  for (const Defect& defect : defects) {
    const Folder folder;
    const fs::path file = copy_as(folder, source, defect.name);
    if (defect.described) {
      const std::string describe = kDescribe + " " + file.string() + " " + schema_file(file).string();
      BOOST_REQUIRE_EQUAL(std::system(describe.c_str()), 0);
    }
    has_verdict(file, defect.verdict, source + " " + defect.name);
  }
}

// A next version whose description was written anew, beside the one of the version before.
void follows(const std::string& name, const std::string& verdict, const std::string& why) {
  const Folder folder, earlier;
  const fs::path before = schema_file(copy_as(earlier, "selection", "sound"));
  const fs::path file = copy_as(folder, "selection", name);
  BOOST_REQUIRE_EQUAL(std::system((kDescribe + " " + file.string() + " " + schema_file(file).string()).c_str()), 0);
  const Checked checked = check_plugin(file, "--against " + before.string());
  const auto wanted = verdict.empty() ? std::vector<std::string>{} : std::vector<std::string>{verdict};
  BOOST_TEST(checked.bad == wanted, name << ": " << checked.why << checked.errors);
  BOOST_TEST(has(checked.why, why), name << ": " << checked.why);
  std::cout << "next version " << name << ": " << (why.empty() ? "compatible" : why) << std::endl;
}

// Changes the note alone, or everything that repeats it too.
void change_fingerprint(const fs::path& file, const std::string& from, const std::string& to) {
  patch_note(file, from, to);
  patch(schema_file(file), from, to);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(broken)

BOOST_AUTO_TEST_CASE(files) {
  const auto spoilt = [](const std::string& what, const std::string& verdict, auto&& spoil) {
    const Folder folder;
    const fs::path file = copy_as(folder, "selection", "file");
    spoil(file);
    has_verdict(file, verdict, what);
  };
  spoilt("anybody may write", "file.readable failed", [](const fs::path& f) { chmod(f.c_str(), 0646); });
  spoilt("no such file", "file.readable failed", [](const fs::path& f) { fs::remove(f); });
  spoilt("cut short", "file.manifest failed", [](const fs::path& f) { write(f, content(f).substr(0, 9000)); });
  spoilt("no library", "file.manifest failed", [](const fs::path& f) { write(f, "#!/bin/sh\n"); });
  spoilt("no note", "file.manifest failed",
         [](const fs::path& f) { patch(f, std::string("Plumb\0\0\0", 8), std::string("Crumb\0\0\0", 8)); });
  spoilt("malformed id", "file.manifest failed", [](const fs::path& f) { patch_note(f, "id=test", "id=Test"); });
  spoilt("another SDK", "file.fingerprint failed", [](const fs::path& f) { change_fingerprint(f, "sdk=2", "sdk=9"); });
  spoilt("another LibTorch", "file.fingerprint failed",
         [](const fs::path& f) { change_fingerprint(f, "torch=none", "torch=2.9."); });
  spoilt("another C++ ABI", "file.fingerprint failed",
         [](const fs::path& f) { change_fingerprint(f, "cxx11abi=1", "cxx11abi=0"); });
  spoilt("another standard library", "file.fingerprint failed",
         [](const fs::path& f) { change_fingerprint(f, "libstdc++", "libcxx+++"); });
  spoilt("debug containers", "file.fingerprint failed",
         [](const fs::path& f) { change_fingerprint(f, "debug=0", "debug=1"); });
  spoilt("no schema", "file.schema failed", [](const fs::path& f) { fs::remove(schema_file(f)); });
  spoilt("schema of another build", "file.schema failed",
         [](const fs::path& f) { patch(schema_file(f), "706c756d62", "706c756d63"); });
  spoilt("malformed schema", "file.schema failed", [](const fs::path& f) { write(schema_file(f), "{"); });
  spoilt("version", "file.version failed", [](const fs::path& f) {
    patch(f, "version=1.0.0", "version=1.0.x");
    patch(schema_file(f), "\"1.0.0\"", "\"1.0.x\"");
  });
  spoilt("entry unlike the note", "load.entry failed",
         [](const fs::path& f) { patch_note(f, "summary=a policy", "summary=A policy"); });
}

BOOST_AUTO_TEST_CASE(links) {
  for (const auto& [source, verdict] : std::vector<std::pair<std::string, std::string>>{
           {"exports", "file.exports failed"},
           {"unique", "file.unique failed"},
           {"unloads", "file.stays failed"},
           {"lazy", "file.binds-now failed"},
           {"second-library", "file.libraries failed"},
           {"undefined", "load.opens failed"},
       }) {
    const Folder folder;
    has_verdict(copy_as(folder, source, "linked"), verdict, "linked: " + source);
  }
}

BOOST_AUTO_TEST_CASE(loading) {
  each("selection", {
                        {"load-crash", "load.opens crashed"},
                        {"load-exit", "load.opens crashed"},
                        {"load-hang", "load.opens timed-out"},
                        {"open-throws", "load.registers failed"},
                        {"open-abort", "load.registers crashed"},
                        {"load-slow", "load.quick failed"},
                        {"undescribed", "load.matches-schema failed"},
                        {"open-differs", "load.repeats failed"},
                        {"load-noise", "load.quiet failed"},
                        {"load-locale", "load.quiet failed"},
                        {"load-thread", "load.quiet failed"},
                        {"load-terminate-handler", "load.quiet failed"},
                    });
}

BOOST_AUTO_TEST_CASE(next_versions) {
  const std::string verdict = "file.schema-compatible failed", best = "selection-policy best: ";
  follows("sound", "", "");
  follows("next-narrows", verdict, best + "above: range narrowed: upper limit was <= 10");
  follows("next-removes", verdict, best + "most: removed");
  follows("next-default", verdict, best + "most: default changed from 4 to 5");
  follows("next-choices", verdict, best + "order: no longer takes length");
  follows("next-requires", verdict, best + "seed: new and required");
}

BOOST_AUTO_TEST_CASE(next_versions_of_what_is_installed) {
  const Folder installed, folder;
  copy_as(installed, "selection", "sound");
  const fs::path file = copy_as(folder, "selection", "next-default");
  BOOST_REQUIRE_EQUAL(std::system((kDescribe + " " + file.string() + " " + schema_file(file).string()).c_str()), 0);
  BOOST_TEST(check_plugin(file).bad.empty());  // there is nothing to compare with
  const Environment path("PLUMB_PLUGIN_PATH", installed.path().string());
  const Checked checked = check_plugin(file);
  BOOST_TEST(checked.bad == std::vector<std::string>{"file.schema-compatible failed"}, checked.why);
  BOOST_TEST(has(checked.why, (installed / "sound.plumb.so").string()), checked.why);
}

// What cannot hold is said by the build, which describes the plugin, and of a description that says it all the same by
// whoever looks at the plugin.
BOOST_AUTO_TEST_CASE(descriptions_that_cannot_hold) {
  const auto refused_of = [](const char* source, const char* name, const std::string& why) {
    const Folder folder;
    const fs::path file = copy_as(folder, source, name);
    const Outcome described = run_command(kDescribe, file.string());
    BOOST_TEST(described.status == 5, name);
    BOOST_TEST(has(described.err, why), described.err);
  };
  const auto refused = [&](const char* name, const std::string& why) {
    refused_of("selection", name, "selection-policy/1 best: " + why);
  };
  refused("parameter-name", "parameter Above It: a name has lower-case letters, digits and _");
  refused("parameter-called-name", "parameter name: `name` names the component itself");
  refused("parameter-twice", "parameter above: declared twice");
  refused("default-out-of-range", "parameter above: the default 0.5 is out of range");
  refused("default-not-finite", "parameter above: the default is not finite");
  refused("default-no-choice", "parameter order: the default reward is none of the choices");
  refused("needs-typo", "needs: `annotatoin` means nothing here; known: annotation; did you mean `annotation`?");
  refused("yields-typo", "yields: `piars` means nothing here; known: pairs, demonstrations; did you mean `pairs`?");
  const auto misregistered = [&](const char* name, const std::string& why) {
    refused_of("optimizer", name, "optimizer/1 preferring: " + why);
  };
  misregistered("takes-nothing", "takes: nothing, so that no stage could feed it; known: pairs, preferences");
  misregistered("takes-another", "takes: `scored` means nothing to a class derived from PairwiseOptimizer");
  misregistered("yields-rewards", "yields: `reward-model` means nothing to a class derived from PairwiseOptimizer");
  misregistered("needs-typo",
                "needs: `refrence` means nothing to a class derived from PairwiseOptimizer; known: "
                "reference; did you mean `reference`?");

  const Folder folder;
  const fs::path file = copy_as(folder, "selection", "sound");
  patch(schema_file(file), "\"pairs\"", "\"piars\"");
  BOOST_TEST(check_plugin(file).bad == std::vector<std::string>{"file.schema failed"});
  BOOST_TEST(has(refusal(file), "its description of selection-policy/1 best cannot hold: yields: `piars`"),
             refusal(file));
}

BOOST_AUTO_TEST_CASE(parameters_and_making) {
  each("selection", {
                        {"undocumented", "parameters.documented failed", true},
                        {"undocumented-parameter", "parameters.documented failed", true},
                        {"rule-throws", "parameters.random failed"},
                        {"parameter-throws", "parameters.random failed"},
                        {"parameter-crash", "parameters.random crashed"},
                        {"make-throws", "component.creates failed"},
                        {"make-throws-number", "component.creates failed"},
                        {"make-crash", "component.creates crashed"},
                        {"own-dice", "component.repeatable failed"},
                        {"remembers", "component.repeatable failed"},
                        {"shared-state", "component.independent failed"},
                        {"thread-bound", "component.other-thread crashed"},
                        {"few-instances", "component.many failed"},
                    });
}

BOOST_AUTO_TEST_CASE(selecting) {
  each("selection",
       {
           {"select-throws", "selection.works failed"},     {"select-throws-number", "selection.works failed"},
           {"select-crash", "selection.works crashed"},     {"select-abort", "selection.works crashed"},
           {"select-terminate", "selection.works crashed"}, {"select-exit", "selection.works crashed"},
           {"select-hang", "selection.works timed-out"},    {"wrong-index", "selection.indices failed"},
           {"negative-index", "selection.indices failed"},  {"self-pair", "selection.indices failed"},
           {"unannounced", "selection.yields failed"},      {"audit-gap", "selection.audit failed"},
           {"audit-kept", "selection.audit failed"},        {"first-is-best", "selection.permutation failed"},
           {"empty-throws", "selection.small failed"},      {"single-crash", "selection.small crashed"},
           {"tie-index", "selection.ties failed"},          {"nan-crash", "selection.not-finite crashed"},
           {"race", "selection.concurrent failed"},
       });
}

BOOST_AUTO_TEST_CASE(left_behind) {
  each("selection", {
                        {"stdout-noise", "lifecycle.silent failed"},
                        {"stderr-noise", "lifecycle.silent failed"},
                        {"locale", "lifecycle.state failed"},
                        {"folder", "lifecycle.state failed"},
                        {"signal", "lifecycle.state failed"},
                        {"environment", "lifecycle.state failed"},
                        {"seeds-rand", "lifecycle.state failed"},
                        {"rounding", "lifecycle.state failed"},
                        {"umask", "lifecycle.state failed"},
                        {"thread-left", "lifecycle.threads failed"},
                        {"file-left-open", "lifecycle.files failed"},
                        {"leak", "lifecycle.memory failed"},
                        {"exit-crash", "lifecycle.ends crashed"},
                        {"exit-hang", "lifecycle.ends timed-out"},
                    });
}

BOOST_AUTO_TEST_CASE(answering) {
  each("answers", {
                      {"reward-short", "reward.shape failed"},
                      {"reward-nan", "reward.finite failed"},
                      {"reward-empty", "reward.empty failed"},
                      {"reward-of-batch", "reward.batches failed"},
                      {"judge-silent", "judge.answers failed"},
                      {"judge-infinite", "judge.ranges failed"},
                      {"judge-preference", "judge.ranges failed"},
                      {"judge-throws", "judge.failures failed"},
                      {"judge-crash", "judge.failures crashed"},
                      {"evaluator-nan", "evaluator.metrics failed"},
                      {"evaluator-names", "evaluator.metrics failed"},
                      {"evaluator-interval", "evaluator.intervals failed"},
                      {"evaluator-row", "evaluator.rows failed"},
                      {"evaluator-hides-failures", "evaluator.failures failed"},
                      {"tokenizer-lossy", "tokenizer.round-trip failed"},
                      {"tokenizer-range", "tokenizer.range failed"},
                      {"tokenizer-special", "tokenizer.special failed"},
                      {"tokenizer-utf8", "tokenizer.any-bytes failed"},
                      {"tokenizer-files", "tokenizer.files failed"},
                      {"data-types", "data-source.types failed"},
                      {"data-ids", "data-source.ids failed"},
                      {"data-roles", "data-source.conversations failed"},
                      {"data-last-turn", "data-source.conversations failed"},
                      {"data-restarts", "data-source.end failed"},
                      {"data-files", "data-source.files failed"},
                      {"context-from-threads", "component.thread-contract failed"},
                      {"done-from-threads", "component.thread-contract failed"},
                      {"speaks-after-its-end", "component.thread-contract failed"},
                      {"generator-forgets", "generator.complete failed"},
                      {"generator-long", "generator.complete failed"},
                      {"generator-batch", "generator.batches failed"},
                      {"generator-deaf", "generator.cancelled failed"},
                  });
}

BOOST_AUTO_TEST_CASE(staging) {
  each("stage", {
                    {"stage-silent", "stage.output failed"},
                    {"stage-other-type", "stage.works failed"},
                    {"stage-other-row", "stage.output failed"},
                    {"stage-changes-input", "stage.inputs failed"},
                    {"stage-forgets", "stage.resumes failed"},
                    {"stage-counts-anew", "stage.resumes failed"},
                    {"stage-estimate", "stage.estimate failed"},
                });
}

BOOST_AUTO_TEST_CASE(optimizing) {
  each("optimizer", {
                        {"loss-vector", "optimizer.works failed"},
                        {"torch-dice", "component.repeatable failed"},
                        {"detached", "optimizer.loss failed"},
                        {"loss-nan", "optimizer.finite failed"},
                        {"metric-nan", "optimizer.finite failed"},
                        {"gradient-wrong", "optimizer.gradient failed"},
                        {"gradient-half", "optimizer.gradient failed"},
                        {"sum-not-mean", "optimizer.batches failed"},
                        {"own-count", "optimizer.batches failed"},
                        {"loss-with-texts", "optimizer.step-zero failed"},
                        {"margin-metric", "optimizer.step-zero failed"},
                        {"extreme-nan", "optimizer.extreme failed"},
                        {"advantages-per-answer", "optimizer.works failed"},
                        {"writes-into-batch", "optimizer.untouched failed"},
                        {"remembers-losses", "optimizer.resume-equals-straight failed"},
                        {"forgets-state", "optimizer.resume-equals-straight failed"},
                        {"rounds-state", "optimizer.resume-equals-straight failed"},
                        {"forgets-odd-pair", "optimizer.two-halves-agree failed"},
                    });
}

BOOST_AUTO_TEST_CASE(modelling) {
  each("model", {
                    {"wrong-shape", "model.shape failed"},
                    {"shape-heads", "model.shape failed"},
                    {"model-float", "model.shape failed"},
                    {"model-nan", "model.finite failed"},
                    {"sees-future", "model.causal failed"},
                    {"sees-neighbours", "model.packing failed"},
                    {"cache-positions", "model.cached-decode failed"},
                    {"keeps-weights", "model.weights failed"},
                    {"model-gradient", "model.gradient failed"},
                    {"unused-parameter", "model.gradient failed"},
                    {"layer-needs-hidden", "model.layers failed"},
                    {"needs-head", "model.backbone failed"},
                    {"lora-target", "model.names failed"},
                    {"claims-nothing", "model.names failed", true},
                });
}

BOOST_AUTO_TEST_SUITE_END()
