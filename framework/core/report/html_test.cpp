#include "framework/core/report/html.h"
#include "framework/core/report/test_contains.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

namespace plumb {
namespace {

using test::contains;

Document hostile() {
  const std::string text = "<script>alert(1)</script><img src=x onerror=\"alert('2')\">&amp;";
  Document page{text, {}};
  page.add(Heading{2, text});
  page.add(Paragraph{{text, Code{text}}});
  page.add(Bullets{{Paragraph{{text}}}});
  page.add(Table{{text}, {{text}, {"0.715 ± 0.010"}}});
  page.add(Talk{{{text, text}}});
  Figure figure{"figure", {}, {}};
  figure.chart = {text,        text,         text, text, {{text, {{0, 1}, {1, 2}}}, {text, {{0, 2}, {1, 1}}}},
                  {{0, 1, 3}}, {{0.5, text}}};
  page.add(std::move(figure));
  page.add(Folded{text, Table{{text}, {{text}}}});
  return page;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(html)

BOOST_AUTO_TEST_CASE(text_never_becomes_markup) {
  const std::string page = to_html(hostile());
  BOOST_TEST(!contains(page, "<script"));
  BOOST_TEST(!contains(page, "<img"));
  BOOST_TEST(contains(
      page, "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;2&#39;)&quot;&gt;&amp;amp;"));
  BOOST_TEST(escape_html("a\x1b[31m\xe2\x80\xae\xff"
                         "b\nc") ==
             "a\uFFFD[31m\uFFFD\uFFFD"
             "b\nc");
}

BOOST_AUTO_TEST_CASE(the_page_asks_for_nothing) {
  const std::string page = to_html(hostile());
  BOOST_TEST(contains(page, "default-src 'none'"));
  for (const char* request : {"http://", "https://", "src=\"", "@import", "url("}) {
    BOOST_TEST(!contains(page, request), request);
  }
}

BOOST_AUTO_TEST_CASE(numbers_stand_right_and_figures_carry_their_data) {
  Document page{"t", {}};
  page.add(Table{{"model", "gold"}, {{"sft", "0.715 ± 0.010"}, {"3 answers", "+1,234"}}});
  Figure figure{"gaps", {}, {}};
  figure.chart.title = "Gaps";
  figure.chart.bars = {{0, 1, 3}};
  page.add(std::move(figure));
  const std::string html = to_html(page);
  BOOST_TEST(contains(html, "<td class=\"n\">0.715 ± 0.010</td>"));
  BOOST_TEST(contains(html, "<td>3 answers</td>"));
  BOOST_TEST(contains(html, "<td class=\"n\">+1,234</td>"));
  // "from,to,height\n0,1,3\n", encoded by hand
  BOOST_TEST(
      contains(html, "download=\"gaps.csv\" href=\"data:text/csv;charset=utf-8;base64,ZnJvbSx0byxoZWlnaHQKMCwxLDMK\""));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(chart)

BOOST_AUTO_TEST_CASE(ticks_are_round_and_cover_the_data) {
  BOOST_TEST(axis_ticks(0, 10, 5) == (std::vector<double>{0, 2, 4, 6, 8, 10}), boost::test_tools::per_element());
  BOOST_TEST(axis_ticks(1, 313, 8).size() == 8U);  // 0, 50 … 350
  const std::vector<double> small = axis_ticks(0.601, 0.799, 5);
  BOOST_TEST(small.front() == 0.6, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(small.back() == 0.8, boost::test_tools::tolerance(1e-12));
  for (const auto& [low, high] : {std::pair{-3e-7, 2e-7}, {1e6, 1e6 + 1}, {-5.0, -4.0}}) {
    const std::vector<double> ticks = axis_ticks(low, high, 5);
    BOOST_TEST(ticks.size() >= 2U);
    BOOST_TEST(ticks.front() <= low + 1e-9 * std::abs(low));
    BOOST_TEST(ticks.back() >= high - 1e-9 * std::abs(high));
  }
}

BOOST_AUTO_TEST_CASE(points_land_where_the_axes_say) {
  Chart chart;
  chart.lines = {{"a", {{0, 0}, {5, 5}, {10, 10}}}};
  // 680 × 300 with margins 64, 16, 24 and 48: x from 64 to 664, y from 252 up to 24.
  BOOST_TEST(contains(to_svg(chart), "points=\"64.0,252.0 364.0,138.0 664.0,24.0 \""));
}

BOOST_AUTO_TEST_CASE(a_figure_without_extent_is_still_drawn) {
  Chart chart;
  for (const auto& points :
       std::vector<std::vector<std::pair<double, double>>>{{}, {{1, 2}}, {{1, 2}, {2, 2}}, {{1, NAN}, {2, INFINITY}}}) {
    chart.lines = {{"a", points}};
    const std::string svg = to_svg(chart);
    BOOST_TEST(svg.find("nan") == std::string::npos);
    BOOST_TEST(svg.find("inf") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(csv_quotes_what_needs_it) {
  Chart chart;
  chart.x = "a,b", chart.y = "say \"y\"";
  chart.lines = {{"=SUM(A1)", {{1, 0.5}}}};
  chart.marks = {{2, "two\nlines"}};
  BOOST_TEST(to_csv(chart) == "series,\"a,b\",\"say \"\"y\"\"\"\n'=SUM(A1),1,0.5\nmark,\"a,b\"\n\"two\nlines\",2\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
