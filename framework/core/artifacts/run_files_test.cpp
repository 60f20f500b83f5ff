// A run.json or sweep.json of somebody else is refused by its path, whatever is wrong with it.
#include "framework/core/artifacts/run_files.h"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"

using namespace plumb;

namespace {

const char* const kRun = R"({"recipe":"r","status":"finished","started":"2026-01-01T00:00:00Z","seed":1,"process":1,)"
                         R"("stages":[{"stage":"sft","kind":"sft","type":"model","status":"done","key":"ab"}]})";
const char* const kSweep =
    R"({"sweep":"s","file":"s.yaml","status":"finished","started":"2026-01-01T00:00:00Z","process":1,)"
    R"("arms":[{"arm":"a","row":"a","status":"done","seed":1,"values":{}}]})";

// Every way to replace one value of the tree by one of another type, or to take it away.
void each_change(const Value& root, Value& here, const std::function<void(const Value&)>& seen) {
  const auto spoilt = [&](Value& value) {
    const Value before = value;
    for (const Value& other : {Value(), Value(true), Value(7), Value("text"), Value::list({}), Value::map({})}) {
      if (other.type() == before.type()) continue;
      value = other;
      seen(root);
    }
    value = before;
  };
  if (here.is_map()) {
    for (std::size_t i = 0; i < here.as_map().size(); ++i) {
      spoilt(here.as_map()[i].value);
      each_change(root, here.as_map()[i].value, seen);
    }
  } else if (here.is_list()) {
    for (Value& item : here.as_list()) {
      spoilt(item);
      each_change(root, item, seen);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(run_files)

BOOST_AUTO_TEST_CASE(files_of_another_shape_are_named) {
  const test::Folder folder;
  const auto refused = [&](const char* name, const char* sound, Result<Value> (*read)(const std::filesystem::path&)) {
    const std::string file = (folder / name).string();
    write_file(file, sound).value();
    BOOST_TEST(static_cast<bool>(read(folder.path())));
    Value tree = parse_json(sound);
    int count = 0;
    each_change(tree, tree, [&](const Value& changed) {
      write_file(file, to_json(changed)).value();
      const Result<Value> found = read(folder.path());
      BOOST_TEST_REQUIRE(!found, to_json(changed));
      BOOST_TEST(std::string(found.error().what()).starts_with(file + " is not what `plumb "), found.error().what());
      ++count;
    });
    BOOST_TEST(count >= 50);
    for (const char* other : {"[]", "3", "{}"}) {
      write_file(file, other).value();
      BOOST_TEST(std::string(read(folder.path()).error().what()).find(file) == 0u);
    }
  };
  refused("run.json", kRun, read_run_file);
  refused("sweep.json", kSweep, read_sweep_file);
}

BOOST_AUTO_TEST_SUITE_END()
