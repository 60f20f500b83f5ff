#include "framework/core/artifacts/artifact.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <thread>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/manifest.h"
#include "framework/core/artifacts/test_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using plumb::test::Folder;

const std::string key = sha256_of("what made it");
const std::string short_name = "responses-" + key.substr(0, 16);

ArtifactManifest manifest_of_a_sample() {
  ArtifactManifest m;
  m.stage = "answers";
  m.stage_kind = "sample";
  m.revision = 3;
  m.params = Value::map({{"k", 16}, {"top_p", 0.98}});
  m.contents = {{"path", "ab12"}};
  m.inputs = {{"model", "k1"}, {"models/sft", "k2"}};
  m.plugins = {{"org.x.y", "1.0.0", "c0de", "generator/1 local"}};
  m.seed = 0xFFFFFFFFFFFFFFFFULL;
  m.summary = Value::map({{"responses", 32}});
  m.seconds = 1.25;
  m.peak_bytes = 12345678901;
  return m;
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

Artifact commit_one(ArtifactStore& store) {
  ArtifactWriter writer = store.begin(key, "responses").value();
  write(writer.folder() / "rows.jsonl", "abc");
  write(writer.folder() / "inner" / "x", "");
  return writer.commit(manifest_of_a_sample()).value();
}

std::string error_of(const Result<std::optional<Artifact>>& found) {
  BOOST_REQUIRE(!found);
  BOOST_CHECK(found.error().code() == ErrorCode::data);
  return found.error().what();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(artifact)

BOOST_AUTO_TEST_CASE(what_is_committed_is_found) {
  Folder folder;
  ArtifactStore store(folder / "store");
  BOOST_TEST(!store.find(key).value().has_value());
  const Artifact made = commit_one(store);
  BOOST_TEST(made.folder == folder / "store" / short_name);
  const auto found = store.find(key).value();
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->folder == made.folder);
  const ArtifactManifest& m = found->manifest;
  BOOST_TEST(to_json(manifest_value(m)) == to_json(manifest_value(made.manifest)));
  BOOST_TEST(m.key == key);
  BOOST_TEST(m.type == "responses");
  BOOST_TEST(m.stage == "answers");
  BOOST_TEST(m.revision == 3);
  BOOST_CHECK(m.params == manifest_of_a_sample().params);
  BOOST_CHECK(m.inputs == manifest_of_a_sample().inputs);
  BOOST_CHECK(m.contents == manifest_of_a_sample().contents);
  BOOST_TEST(m.plugins.at(0).component == "generator/1 local");
  BOOST_TEST(m.seed.value() == 0xFFFFFFFFFFFFFFFFULL);
  BOOST_TEST(m.peak_bytes == 12345678901U);
  BOOST_REQUIRE(m.files.size() == 2U);
  BOOST_TEST(m.files[0].name == "inner/x");
  BOOST_TEST(m.files[1].name == "rows.jsonl");
  BOOST_TEST(m.files[1].size == 3U);
  BOOST_TEST(m.files[1].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // "abc"
  BOOST_TEST(store.all().size() == 1U);
  // Nothing but the artifact and its lock, which is free, is left: no partial folder, no work folder.
  BOOST_TEST(std::distance(fs::directory_iterator(store.root()), {}) == 2);
  BOOST_TEST(fs::is_empty(store.root() / (short_name + ".lock")));
  BOOST_TEST(!fs::exists(made.folder / "work"));
}

BOOST_AUTO_TEST_CASE(an_unfinished_attempt_is_taken_up) {
  Folder folder;
  ArtifactStore store(folder / "store");
  {
    const ArtifactWriter writer = store.begin(key, "responses").value();
    BOOST_TEST(!writer.resumed());
    write(writer.work_folder() / "checkpoint", "half");
    write(writer.folder() / ".metrics.jsonl.plumb-tmp-17", "of a process that died");
  }
  BOOST_TEST(!store.find(key).value().has_value());
  BOOST_TEST(store.all().empty());
  ArtifactWriter writer = store.begin(key, "responses").value();
  BOOST_TEST(writer.resumed());
  BOOST_TEST(read_file(writer.work_folder() / "checkpoint").value() == "half");
  const Artifact made = writer.commit(manifest_of_a_sample()).value();
  BOOST_TEST(made.manifest.files.empty());
  BOOST_TEST(std::distance(fs::directory_iterator(made.folder), {}) == 1);  // the manifest
}

BOOST_AUTO_TEST_CASE(a_commit_that_died_before_its_rename_is_completed) {
  Folder folder;
  ArtifactStore store(folder / "store");
  const Artifact made = commit_one(store);
  const fs::path partial = made.folder.string() + ".partial";
  fs::rename(made.folder, partial);
  write(partial / "work" / "checkpoint", "still there");
  const ArtifactWriter writer = store.begin(key, "responses").value();
  BOOST_REQUIRE(writer.finished() != nullptr);
  BOOST_TEST(writer.finished()->manifest.seconds == 1.25);
  BOOST_TEST(store.find(key).value().has_value());
  BOOST_TEST(!fs::exists(made.folder / "work"));
}

BOOST_AUTO_TEST_CASE(a_manifest_that_does_not_fit_its_partial_folder_is_dropped) {
  Folder folder;
  ArtifactStore store(folder / "store");
  const Artifact made = commit_one(store);
  const fs::path partial = made.folder.string() + ".partial";
  fs::rename(made.folder, partial);
  write(partial / "rows.jsonl", "abcd");
  const ArtifactWriter writer = store.begin(key, "responses").value();
  BOOST_TEST(writer.finished() == nullptr);
  BOOST_TEST(writer.resumed());
  BOOST_TEST(!fs::exists(partial / "artifact.json"));
}

BOOST_AUTO_TEST_CASE(damage_is_named_and_set_aside) {
  Folder folder;
  ArtifactStore store(folder / "store");
  const Artifact made = commit_one(store);
  const std::string place = made.folder.string(), consequence = ". The artifact is damaged and has to be made again";
  write(made.folder / "rows.jsonl", "abd");
  BOOST_TEST(store.find(key).value().has_value());  // the sizes are right
  const auto changed = store.find(key, sha256_of_file);
  BOOST_TEST(error_of(changed) == place +
                                      ": the content of file rows.jsonl has changed since it was made: its SHA-256 is "
                                      "a52d159f262b…, its manifest says ba7816bf8f01…" +
                                      consequence);
  write(made.folder / "rows.jsonl", "abcd");
  BOOST_TEST(error_of(store.find(key)) == place + ": file rows.jsonl has 4 bytes, its manifest says 3" + consequence);
  fs::remove(made.folder / "rows.jsonl");
  BOOST_TEST(error_of(store.find(key)) ==
             place + ": file rows.jsonl is missing or cannot be read (No such file or directory)" + consequence);
  std::string manifest = read_file(made.folder / "artifact.json").value();
  manifest.replace(manifest.find("1.25"), 4, "1.24");
  write(made.folder / "artifact.json", manifest);
  BOOST_TEST(error_of(store.find(key)) ==
             place + "/artifact.json: its content has changed since it was written: its own SHA-256 does not fit" +
                 consequence);
  write(made.folder / "artifact.json", "{\"format\": 1");
  BOOST_TEST(error_of(store.find(key)).starts_with(place + "/artifact.json:1:13: "));
  write(made.folder / "artifact.json", "{\"format\": 1}");
  BOOST_TEST(error_of(store.find(key)).starts_with(place + "/artifact.json: "));
  BOOST_TEST(error_of(store.find(key)).ends_with(consequence));
  fs::remove(made.folder / "artifact.json");
  BOOST_TEST(error_of(store.find(key)).starts_with(place + ": file artifact.json is missing"));

  const ArtifactWriter writer = store.begin(key, "responses").value();
  BOOST_TEST(writer.finished() == nullptr);
  BOOST_TEST(!writer.resumed());
  BOOST_TEST(writer.damage().starts_with(place + ": file artifact.json is missing"), writer.damage());
  BOOST_TEST(fs::exists(place + ".damaged/inner/x"));
  BOOST_TEST(!fs::exists(made.folder));
  BOOST_TEST(!store.find(key).value().has_value());
  BOOST_TEST(store.all().empty());
}

BOOST_AUTO_TEST_CASE(links_are_recorded_by_their_target) {
  Folder folder;
  ArtifactStore store(folder / "store");
  write(folder / "base" / "model.safetensors", "abc");
  Artifact made = [&] {
    ArtifactWriter writer = store.begin(key, "model").value();
    fs::create_symlink(folder / "base" / "model.safetensors", writer.folder() / "model.safetensors");
    return writer.commit(manifest_of_a_sample()).value();
  }();
  BOOST_TEST(made.manifest.files.at(0).size == 3U);
  BOOST_TEST(made.manifest.files[0].target == fs::canonical(folder / "base" / "model.safetensors").string());
  BOOST_TEST(store.find(key).value().has_value());
  fs::remove(folder / "base" / "model.safetensors");
  BOOST_TEST(error_of(store.find(key)).find("was a link to ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(only_files_can_be_committed) {
  Folder folder;
  ArtifactStore store(folder / "store");
  ArtifactWriter writer = store.begin(key, "model").value();
  fs::create_directory_symlink(folder.path(), writer.folder() / "elsewhere");
  const auto made = writer.commit(manifest_of_a_sample());
  BOOST_REQUIRE(!made);
  BOOST_TEST(std::string(made.error().what()).find("elsewhere is neither a file nor a link to one") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_second_writer_waits_then_finds_the_artifact) {
  Folder folder;
  ArtifactStore store(folder / "store");
  std::optional<ArtifactWriter> first(store.begin(key, "responses").value());
  int asked = 0;
  std::string holder;
  const auto given_up = store.begin(key, "responses", [&](const std::string& held_by) {
    holder = held_by;
    return ++asked < 2;
  });
  BOOST_TEST(asked == 2);
  BOOST_REQUIRE(!given_up);
  BOOST_CHECK(given_up.error().code() == ErrorCode::interrupted);
  std::string host = read_file("/proc/sys/kernel/hostname").value();
  host.pop_back();
  BOOST_TEST(holder.starts_with(fmt::format("process {} on {}, which began at 20", ::getpid(), host)), holder);
  BOOST_TEST(std::string(given_up.error().what()).ends_with(holder));
  BOOST_TEST(fs::exists(store.root() / (short_name + ".lock")));  // still held by the first
  BOOST_CHECK_THROW(static_cast<void>(store.begin(key, "responses",
                                                  [](const std::string&) -> bool { throw std::logic_error("stop"); })),
                    std::logic_error);
  BOOST_TEST(fs::exists(store.root() / (short_name + ".lock")));

  std::thread finisher([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    write(first->folder() / "rows.jsonl", "abc");
    static_cast<void>(first->commit(manifest_of_a_sample()).value());
    first.reset();
  });
  const ArtifactWriter second = store.begin(key, "responses").value();
  finisher.join();
  BOOST_REQUIRE(second.finished() != nullptr);
  BOOST_TEST(second.finished()->manifest.files.at(0).name == "rows.jsonl");
}

// Where attributes of files are cached, a waiter could not tell a removed lock from the one that took its place.
BOOST_AUTO_TEST_CASE(a_lock_stays_where_it_is_and_names_nobody_once_it_is_free) {
  Folder folder;
  ArtifactStore store(folder / "store");
  const fs::path lock = store.root() / (short_name + ".lock");
  struct stat first {
  }, second{};
  for (struct stat* seen : {&first, &second}) {
    const ArtifactWriter writer = store.begin(key, "responses").value();
    BOOST_TEST(read_json(lock).value().at("process").as_int() == ::getpid());
    BOOST_TEST(::stat(lock.c_str(), seen) == 0);
  }
  BOOST_TEST(first.st_ino == second.st_ino);
  BOOST_TEST(fs::file_size(lock) == 0U);
}

BOOST_AUTO_TEST_CASE(a_probe_says_that_a_folder_locks_and_leaves_nothing) {
  Folder folder;
  BOOST_TEST(static_cast<bool>(probe_locks(folder / "store")));
  BOOST_TEST(fs::is_empty(folder / "store"));
  write(folder / "file", "abc");
  const Result<void> no_folder = probe_locks(folder / "file");
  BOOST_REQUIRE(!no_folder);
  BOOST_TEST(std::string(no_folder.error().what()).find((folder / "file").string()) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_keys_do_not_wait) {
  Folder folder;
  ArtifactStore store(folder / "store");
  const ArtifactWriter first = store.begin(key, "responses").value();
  const ArtifactWriter other = store.begin(sha256_of("another"), "responses").value();
  BOOST_TEST(first.folder() != other.folder());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
