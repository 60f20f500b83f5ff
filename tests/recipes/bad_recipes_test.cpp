// Every recipe of bad/ is refused with exactly the problems that its first lines list, by the library and by the
// command.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "framework/core/recipe/plugin_check.h"
#include "framework/core/recipe/recipe.h"
#include "tests/recipes/recipe_command.h"

namespace fs = std::filesystem;
using namespace plumb::test;

namespace {

struct Wanted {
  plumb::Mark mark;
  std::string key, part, nearest;
};

struct Bad {
  fs::path file;
  std::vector<Wanted> wanted;
  std::vector<std::string> sets;
  bool opens_plugins = false;  // only their code sees what is wrong
};

std::string trimmed(std::string s) {
  s.erase(0, s.find_first_not_of(' '));
  s.erase(s.find_last_not_of(' ') + 1);
  return s;
}

Wanted parse_wanted(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '|');) fields.push_back(trimmed(field));
  if (fields.size() < 3) throw std::runtime_error("cannot read: " + line);
  Wanted out{{}, fields[1], fields[2], fields.size() > 3 ? fields[3] : ""};
  std::istringstream place(fields[0]);
  if (fields[0].starts_with("--set ")) {
    place.ignore(6);
    place >> out.mark.column;
  } else {
    char colon = 0;
    place >> out.mark.line >> colon >> out.mark.column;
  }
  if (!place) throw std::runtime_error("cannot read: " + line);
  return out;
}

std::vector<Bad> bad_recipes() {
  std::vector<Bad> out;
  for (const auto& entry : fs::directory_iterator(kHere / "bad")) {
    if (entry.path().extension() != ".yaml") continue;
    Bad bad{entry.path(), {}, {}};
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("# wants ")) bad.wanted.push_back(parse_wanted(line.substr(8)));
      bad.opens_plugins |= line == "# opens plugins";
      if (line.starts_with("# set ")) bad.sets.push_back(line.substr(6));
    }
    out.push_back(std::move(bad));
  }
  std::sort(out.begin(), out.end(), [](const Bad& a, const Bad& b) { return a.file < b.file; });
  return out;
}

bool fits(const plumb::Problem& found, const Wanted& wanted) {
  return found.mark == wanted.mark && found.key == wanted.key && found.message.find(wanted.part) != std::string::npos &&
         (wanted.nearest.empty() || found.nearest == wanted.nearest);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recipes)

BOOST_AUTO_TEST_CASE(there_are_enough) {
  BOOST_TEST(bad_recipes().size() >= 48U);
}

BOOST_AUTO_TEST_CASE(bad_recipes_have_exactly_the_listed_problems) {
  for (const Bad& bad : bad_recipes()) {
    BOOST_TEST_CONTEXT(bad.file.filename().string()) {
      auto loaded = plumb::load_recipe({.file = bad.file, .overrides = bad.sets, .plugins = {}});
      BOOST_TEST(loaded.problems.empty() == bad.opens_plugins);
      if (bad.opens_plugins) loaded.problems = plumb::check_with_plugins(loaded).problems;
      bool same = loaded.problems.size() == bad.wanted.size();
      for (std::size_t i = 0; same && i < bad.wanted.size(); ++i) same = fits(loaded.problems[i], bad.wanted[i]);
      std::string wanted;
      for (const Wanted& w : bad.wanted) {
        wanted += std::to_string(w.mark.line) + ":" + std::to_string(w.mark.column) + ": " + w.key + ": " + w.part +
                  "; nearest: " + w.nearest + "\n";
      }
      BOOST_TEST(same, "\nfound:\n" + plumb::show_problems(loaded.problems, loaded.source.text) + "wanted:\n" + wanted);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_command_refuses_each_with_status_2_in_time) {
  for (const Bad& bad : bad_recipes()) {
    BOOST_TEST_CONTEXT(bad.file.filename().string()) {
      std::vector<std::string> arguments = {command(), "validate", bad.file.string()};
      for (const std::string& set : bad.sets) arguments.insert(arguments.end(), {"--set", set});
      const Outcome outcome = run(arguments);
      BOOST_TEST(outcome.status == 2);
      // Where nothing else is wrong the plugins are opened, and LibTorch with them.
      BOOST_TEST(outcome.seconds <= (bad.opens_plugins ? 4 : 0.2) * kSlack);
      for (const Wanted& wanted : bad.wanted) {
        const std::string place = wanted.mark.line > 0
                                      ? bad.file.string() + ":" + std::to_string(wanted.mark.line) + ":" +
                                            std::to_string(wanted.mark.column) + ": "
                                      : "--set " + bad.sets.at(static_cast<std::size_t>(wanted.mark.column) - 1) + ": ";
        BOOST_TEST(outcome.text.find(place) != std::string::npos, outcome.text);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
