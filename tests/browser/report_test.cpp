// A run's report opened in headless Chromium: it draws, logs nothing and asks the network for nothing, also when models
// answered with markup.
#include <arpa/inet.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "framework/core/report/html.h"
#include "tests/commands/command.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

bool has_chromium() {
  if (std::system("command -v chromium > /dev/null") == 0) return true;
  BOOST_TEST_MESSAGE("skipped: Chromium is not installed (Debian's package `chromium`)");
  return false;
}

struct Browsed {
  int status;
  std::string dom, log;
};

Browsed browse(const fs::path& page, const fs::path& folder, const std::string& options) {
  const std::string command =
      "timeout 60 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --disable-dev-shm-usage "
      "--disable-component-update --enable-logging=stderr --user-data-dir='" +
      (folder / "profile").string() + "' " + options + " 'file://" + page.string() + "' > '" +
      (folder / "dom").string() + "' 2> '" + (folder / "log").string() + "'";
  const int status = std::system(command.c_str());
  return {status, read_file(folder / "dom").value(), read_file(folder / "log").value()};
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Width and height as the PNG's header says.
std::array<std::uint32_t, 2> size_of(const std::string& png) {
  BOOST_REQUIRE(png.size() > 24 && png.starts_with("\x89PNG"));
  std::array<std::uint32_t, 2> size{};
  std::memcpy(size.data(), png.data() + 16, 8);
  return {ntohl(size[0]), ntohl(size[1])};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(browser)

BOOST_AUTO_TEST_CASE(a_runs_report_opens_without_a_complaint) {
  if (!has_chromium()) return;
  const test::Folder folder;
  const std::string runs = (folder / "runs").string();
  const auto ran = test::plumb_command({"run", PLUMB_SOURCE_DIR "/recipes/lab/smoke.yaml", "--quiet", "--runs", runs});
  BOOST_REQUIRE_MESSAGE(ran.status == 0, ran.errors);
  const fs::path page = folder / "page.html";
  const auto wrote = test::plumb_command({"report", runs + "/smoke", "--output", page.string()});
  BOOST_REQUIRE_MESSAGE(wrote.status == 0, wrote.errors);
  BOOST_TEST(wrote.text == page.string() + "\n");

  const Browsed seen = browse(page, folder.path(), "--dump-dom");
  BOOST_TEST(seen.status == 0);
  BOOST_TEST(!has(seen.log, "CONSOLE"), seen.log);
  for (const char* part : {"<svg", "<polyline", "<rect", "gold score", "id=\"s0\"", "Time and memory"}) {
    BOOST_TEST(has(seen.dom, part), part);
  }
  const fs::path picture = folder / "page.png";
  const Browsed drawn = browse(page, folder.path(), "--window-size=1000,2400 --screenshot='" + picture.string() + "'");
  BOOST_TEST(drawn.status == 0);
  const std::string png = read_file(picture).value();
  BOOST_TEST(size_of(png) == (std::array<std::uint32_t, 2>{1000, 2400}), boost::test_tools::per_element());
  BOOST_TEST(png.size() > 50'000U);  // an empty page of this size takes 12 kB
}

BOOST_AUTO_TEST_CASE(a_sweeps_report_opens_without_a_complaint) {
  if (!has_chromium()) return;
  const test::Folder folder;
  write_file(folder / "sweep.yaml",
             "name: swept\nbase: " PLUMB_SOURCE_DIR
             "/recipes/lab/smoke.yaml\nstages: {gold: {models: [aligned], baseline: null}}\nsweep:\n"
             "  list: {sft: {stages.gold.models: [sft]}, gap: {}}\n  until: [gold]\n"
             "  published: {source: a paper, rows: {gap: {MT-Bench: 5.49}}}\n")
      .value();
  const auto ran =
      test::plumb_command({"sweep", (folder / "sweep.yaml").string(), "--quiet", "--runs", (folder / "runs").string()});
  BOOST_REQUIRE_MESSAGE(ran.status == 0, ran.errors);
  const fs::path page = folder / "runs" / "swept" / "report.html";
  const Browsed seen = browse(page, folder.path(), "--dump-dom");
  BOOST_TEST(seen.status == 0);
  BOOST_TEST(!has(seen.log, "CONSOLE"), seen.log);
  for (const char* part : {"Over-optimisation", "over-optimised", "Beside the published numbers", "5.49", "<circle",
                           "Pairs that a threshold keeps", "reward-gap (eta 0.6, tau 1): δ = ", "failed"}) {
    BOOST_TEST(has(seen.dom, part), part);
  }
}

BOOST_AUTO_TEST_CASE(an_answer_cannot_act) {
  if (!has_chromium()) return;
  const test::Folder folder;
  const std::string attack =
      "<script>document.title='taken'</script><img src='http://127.0.0.1:9/x' onerror=\"document.title='taken'\">"
      "</title></style></svg><a href=\"javascript:document.title='taken'\">";
  Document page{attack, {}};
  page.add(Heading{2, attack});
  page.add(Talk{{{attack, attack}}});
  page.add(Table{{attack}, {{attack}}});
  Figure figure{"figure", {}, {}};
  figure.chart.lines = {{attack, {{0, 0}, {1, 1}}}, {attack, {{0, 1}, {1, 0}}}};
  figure.chart.marks = {{0.5, attack}};
  page.add(std::move(figure));
  write_file(folder / "page.html", to_html(page)).value();

  const Browsed seen = browse(folder / "page.html", folder.path(), "--dump-dom");
  BOOST_TEST(seen.status == 0);
  BOOST_TEST(!has(seen.log, "CONSOLE"), seen.log);  // a blocked script or request would be told there
  BOOST_TEST(!has(seen.dom, "<script"));
  BOOST_TEST(!has(seen.dom, "<img"));
  BOOST_TEST(!has(seen.dom, "<a href=\"javascript"));
  BOOST_TEST(has(seen.dom, "<title>&lt;script&gt;"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
