// A plugin file that is wrong in one way is refused, with the reason, before any of its code runs.
#include <sys/stat.h>

#include "framework/core/components/make.h"
#include "framework/core/registry/fingerprint.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(gates)

BOOST_AUTO_TEST_CASE(other_builds_are_refused_field_by_field) {
  BOOST_TEST(refusal(kPlugins / "broken/test-wrong-sdk.plumb.so") == "sdk: found 9, wanted 2");
  BOOST_TEST(refusal(kPlugins / "broken/test-wrong-torch.plumb.so").find("torch: found 2.10.0, wanted 2.") == 0u);
  BOOST_TEST(refusal(kPlugins / "broken/test-wrong-cxx11abi.plumb.so") == "cxx11abi: found 0, wanted 1");
  BOOST_TEST(refusal(kPlugins / "broken/test-misbehaving.plumb.so") == "");  // the same source, built for this program
}

BOOST_AUTO_TEST_CASE(what_a_refused_plugin_provides_is_known_all_the_same) {
  const PluginCandidate refused = inspect_plugin(kPlugins / "broken/test-wrong-sdk.plumb.so");
  BOOST_TEST(refused.id == "test.misbehaving");
  BOOST_REQUIRE_EQUAL(refused.components.size(), 1u);
  const Registry registry = Registry::scan({{kPlugins / "broken/test-wrong-sdk.plumb.so"}, {}});
  BOOST_TEST(registry.find("selection-policy", "idle") == nullptr);
  BOOST_TEST(registry.why_absent("selection-policy", "idle").find("is refused: sdk: found 9, wanted 2") !=
             std::string::npos);
  BOOST_TEST(registry.why_absent("selection-policy", "busy") == "");
  QuietHost host;
  const std::string message = error_of(
      ErrorCode::plugin, [&] { static_cast<void>(make_component(registry, "selection-policy", "idle", {}, host)); });
  BOOST_TEST(message.find("there is no selection-policy `idle`; ") == 0u);
  BOOST_TEST(message.find("sdk: found 9") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refused_plugin_runs_no_code) {
  const Folder folder;
  const fs::path trace = folder / "trace";
  const Environment set("PLUMB_TEST_TRACE", trace.string());
  const Registry refused =
      Registry::scan({{kPlugins / "broken/test-wrong-sdk.plumb.so", kPlugins / "broken/test-wrong-torch.plumb.so",
                       kPlugins / "broken/test-wrong-cxx11abi.plumb.so"},
                      {}});
  QuietHost host;
  BOOST_CHECK_THROW(static_cast<void>(make_component(refused, "selection-policy", "idle", {}, host)), Error);
  BOOST_TEST(!fs::exists(trace));
  // The same source with a fitting fingerprint does leave the trace: on use, not on listing.
  const fs::path file = copy_plugin("broken/test-misbehaving", folder.path());
  const Registry accepted = Registry::scan({{file}, {}});
  BOOST_REQUIRE(accepted.find("selection-policy", "idle") != nullptr);
  BOOST_TEST(!fs::exists(trace));
  static_cast<void>(make_component(accepted, "selection-policy", "idle", {}, host));
  BOOST_TEST(fs::exists(trace));
}

// Fields that only another compiler, option or machine gives: the note is changed, the code in the file would run.
BOOST_AUTO_TEST_CASE(each_field_of_the_fingerprint_is_a_gate) {
  const Folder folder;
  const fs::path trace = folder / "trace";
  const Environment set("PLUMB_TEST_TRACE", trace.string());
  const std::string san = has(host_fingerprint(), "san=none") ? "none" : "address";
  int count = 0;
  for (const auto& [own, other] : {std::pair<std::string, std::string>{"sdk=2", "sdk=9"},
                                   {"arch=x86_64-linux", "arch=riscv64-linu"},
                                   {"stdlib=libstdc++", "stdlib=libcxx+++"},
                                   {"cxx11abi=1", "cxx11abi=0"},
                                   {"debug=0", "debug=1"},
                                   {"san=" + san, san == "none" ? "san=addr" : "san=threads"},
                                   {"torch=none", "torch=2.9."}}) {
    const fs::path file = copy_plugin("broken/test-misbehaving", folder / std::to_string(count++));
    patch_note(file, own, other);
    patch(schema_file(file), own, other);
    const std::size_t equals = own.find('=') + 1;
    const std::string wanted = own.substr(0, equals - 1) + ": found " + other.substr(equals) + ", wanted " +
                               (own == "torch=none" ? std::string() : own.substr(equals));
    BOOST_TEST(refusal(file).find(wanted) == 0u, refusal(file));
    const Outcome listed = plumb_command("plugins list --plugin " + file.string());
    BOOST_TEST(listed.status == 0);
    BOOST_TEST(has(listed.out, file.string() + "\n  REFUSED: " + wanted), listed.out);
    BOOST_TEST(plumb_command("plugins show idle --plugin " + file.string()).status == 5);
    const Registry registry = Registry::scan({{file}, {}});
    QuietHost host;
    BOOST_CHECK_THROW(static_cast<void>(make_component(registry, "selection-policy", "idle", {}, host)), Error);
    BOOST_TEST(!fs::exists(trace), own);
  }
}

BOOST_AUTO_TEST_CASE(a_library_without_a_note_is_refused) {
  const Folder folder;
  const fs::path file = copy_plugin("good/test-gap", folder.path());
  BOOST_TEST(refusal(file) == "");
  patch(file, std::string("Plumb\0\0\0", 8), std::string("Crumb\0\0\0", 8));
  BOOST_TEST(refusal(file).find("it holds no plugin note") == 0u);
}

BOOST_AUTO_TEST_CASE(a_truncated_file_is_refused) {
  const Folder folder;
  const fs::path file = copy_plugin("good/test-gap", folder.path());
  const std::string whole = content(file);
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{64}, std::size_t{1000}, std::size_t{4096},
                                 whole.size() / 2, whole.size() - 4096, whole.size() - 1}) {
    write(file, whole.substr(0, size));
    BOOST_TEST(refusal(file) != "", size);
  }
  write(file, whole.substr(0, whole.size() - 1));
  BOOST_TEST(refusal(file) == "it is truncated");
}

BOOST_AUTO_TEST_CASE(files_that_anybody_may_change_are_refused) {
  const Folder folder;
  const fs::path file = copy_plugin("good/test-gap", folder / "inner");
  chmod(file.c_str(), 0646);
  BOOST_TEST(refusal(file).find("everybody may write to " + file.string() + "; run: chmod o-w ") == 0u);
  chmod(file.c_str(), 0644);
  BOOST_TEST(refusal(file) == "");
  chmod((folder / "inner").c_str(), 0777);
  BOOST_TEST(refusal(file).find("everybody may write to " + (folder / "inner").string() + ";") == 0u);
  chmod((folder / "inner").c_str(), 01777);  // sticky, as /tmp: others cannot replace the file
  BOOST_TEST(refusal(file) == "");
}

BOOST_AUTO_TEST_CASE(other_names_and_kinds_of_file_are_refused) {
  const Folder folder;
  fs::create_directory(folder / "x.plumb.so");
  BOOST_TEST(refusal(folder / "x.plumb.so") == "it is no regular file");
  BOOST_TEST(refusal(folder / "absent.plumb.so").ends_with("absent.plumb.so: No such file or directory"));
  BOOST_TEST(refusal(folder / "x.so") == "a plugin's file name ends with .plumb.so");
}

BOOST_AUTO_TEST_CASE(a_description_must_be_there_and_fit) {
  const Folder folder;
  const fs::path file = copy_plugin("good/test-gap", folder.path());
  const std::string schema = content(schema_file(file));
  fs::remove(schema_file(file));
  BOOST_TEST(refusal(file).find("schema missing: run: plumb-describe ") == 0u);
  write(schema_file(file), schema.substr(0, schema.size() / 2));
  BOOST_TEST(refusal(file).find("its schema cannot be read (") == 0u);
  write(schema_file(file), "[1]");
  BOOST_TEST(refusal(file).find("its schema cannot be read (") == 0u);
  for (const char* key : {"\"id\": \"test", "\"version\": \"1", "\"build_id\": \"", "\"fingerprint\": \"sdk=2"}) {
    std::string changed = schema;
    const std::size_t at = changed.find(key);
    BOOST_REQUIRE_NE(at, std::string::npos);
    char& last = changed[at + std::strlen(key)];
    last = last == 'x' ? 'y' : 'x';
    write(schema_file(file), changed);
    BOOST_TEST(refusal(file).find("its schema describes another build: run: plumb-describe ") == 0u, key);
  }
}

BOOST_AUTO_TEST_SUITE_END()
