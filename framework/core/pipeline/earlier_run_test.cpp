#include "framework/core/pipeline/earlier_run.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/pipeline/run.h"
#include "framework/core/pipeline/test_recipe.h"
#include "framework/core/pipeline/test_runner.h"
#include "framework/core/report/html.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::Folder;
using test::TestRecipe;

// one -> two: a stage and what is made of it; `text` is a parameter of both.
struct Chain {
  Chain() : recipe("chain") {
    recipe.add("one", "write", Value::map({{"text", "a"}}));
    recipe.add("two", "write", Value::map({{"text", "b"}, {"of", Value::list({"one"})}}), {{"of/one", "one"}});
  }

  RunResult run(const std::vector<std::string>& until = {}) {
    test::FakeRunner runner([](const std::string&, StageContext& context) {
      write_file(context.folder() / "text", context.params().at("text").as_string()).value();
    });
    return run_recipe(recipe.get(), recipe.text, recipe.registry,
                      {.runs = folder / "runs", .until = until, .form = Progress::Form::quiet, .runner = &runner});
  }
  void set(std::size_t stage, const std::string& text) { recipe.get().stages[stage].params.set("text", text); }

  [[nodiscard]] fs::path at(const std::string& name) const { return folder / "runs" / "chain" / name; }
  [[nodiscard]] std::string text_of(const std::string& stage) const { return read_file(at(stage) / "text").value(); }
  [[nodiscard]] std::string status(std::size_t stage) const {
    return parse_json(read_file(at("run.json")).value()).at("stages").as_list()[stage].at("status").as_string();
  }
  [[nodiscard]] bool logged(const std::string& text) const {
    return read_file(at("log.txt")).value().find(text) != std::string::npos;
  }
  std::string refusal() {
    try {
      run();
    } catch (const Error& error) {
      BOOST_CHECK(error.code() == ErrorCode::data);
      return error.what();
    }
    return {};
  }

  Folder folder;
  TestRecipe recipe;
};

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(earlier_run)

BOOST_AUTO_TEST_CASE(a_folder_of_somebody_else_is_refused_and_left_as_it_is) {
  for (const char* name : {"recipe.yaml", "recipe.resolved.yaml", "recipe.lock.yaml", "log.txt", "run.json", "two"}) {
    Chain chain;
    put(chain.at(name), R"({"my": "notes"})");
    fs::create_symlink("/etc/hostname", chain.at("host"));
    const std::string said = chain.refusal();
    BOOST_TEST(said.find(name) != std::string::npos, said);
    BOOST_TEST(said.find("nothing was touched") != std::string::npos, said);
    BOOST_TEST(read_file(chain.at(name)).value() == R"({"my": "notes"})");
    BOOST_TEST(std::distance(fs::directory_iterator(chain.at("")), {}) == 2);
  }
}

BOOST_AUTO_TEST_CASE(what_lies_beside_a_run_stays) {
  Chain chain;
  put(chain.at("output.txt"), "of the scheduler");
  put(chain.folder / "data", "precious");
  fs::create_symlink("../../data", chain.at("current-data"));
  chain.run();
  fs::create_directory_symlink("../.artifacts", chain.at("store"));
  chain.set(0, "c");
  chain.run();
  BOOST_TEST(read_file(chain.at("output.txt")).value() == "of the scheduler");
  BOOST_TEST(read_file(chain.at("current-data")).value() == "precious");
  BOOST_TEST(fs::is_symlink(chain.at("store")));
  BOOST_TEST(chain.text_of("one") == "c");
}

BOOST_AUTO_TEST_CASE(a_link_that_no_run_made_is_not_replaced) {
  Chain chain;
  chain.run({"one"});
  put(chain.folder / "mine/text", "precious");
  fs::create_directory_symlink("../../mine", chain.at("two"));
  BOOST_TEST(chain.refusal().find("two") != std::string::npos);
  BOOST_TEST(chain.text_of("two") == "precious");
  fs::remove(chain.at("two"));
  chain.run();
  fs::remove(chain.at("two"));
  fs::create_directory_symlink("../../mine", chain.at("two"));  // in a stage's place
  BOOST_TEST(!chain.refusal().empty());
  BOOST_TEST(chain.text_of("two") == "precious");
}

BOOST_AUTO_TEST_CASE(until_keeps_what_an_earlier_command_made) {
  Chain chain;
  chain.run();
  chain.run({"one"});
  BOOST_TEST(chain.text_of("two") == "b");
  BOOST_TEST(chain.status(1) == "done");
  BOOST_TEST(!chain.logged("other settings"));

  chain.set(1, "changed");
  chain.run({"one"});
  BOOST_TEST(chain.text_of("two") == "b");
  BOOST_TEST(chain.status(1) == "outdated");
  BOOST_TEST(chain.logged("still shows two as other settings made them (stages.two.text b -> changed)"));

  chain.set(1, "b");
  chain.run({"one"});
  BOOST_TEST(chain.status(1) == "cached");
}

BOOST_AUTO_TEST_CASE(a_finished_run_of_other_settings_gives_way_with_a_word) {
  Chain chain;
  chain.run();
  const fs::path before = fs::canonical(chain.at("two"));
  chain.set(1, "changed");
  chain.run();
  BOOST_TEST(chain.text_of("two") == "changed");
  BOOST_TEST(fs::exists(before / "text"));
  BOOST_TEST(chain.logged("showed a finished run with other settings (stages.two.text b -> changed): it shows two no"));
}

BOOST_AUTO_TEST_CASE(a_page_that_is_no_longer_true_goes_and_another_file_of_its_name_stays) {
  Chain chain;
  chain.run();
  const std::string page = to_html(Document{.title = "chain", .blocks = {}});
  put(chain.at("report.html"), page);
  chain.run();
  chain.run({"one"});
  BOOST_TEST(fs::exists(chain.at("report.html")));
  chain.set(1, "changed");
  chain.run();
  BOOST_TEST(!fs::exists(chain.at("report.html")));
  BOOST_TEST(chain.logged("report.html showed the earlier results and was removed"));

  put(chain.at("report.html"), "<html>mine</html>");
  chain.set(1, "once more");
  chain.run();
  BOOST_TEST(read_file(chain.at("report.html")).value() == "<html>mine</html>");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
