// A figure of a report: lines, a histogram and marks over one pair of axes, as SVG without scripts and as CSV.
//
//   Chart chart{.title = "Reward gaps", .x = "reward gap", .y = "pairs"};
//   chart.bars = {{0.0, 0.5, 120}, {0.5, 1.0, 80}};
//   chart.marks = {{0.85, "δ = 0.85"}};
//   write_file("gaps.csv", to_csv(chart));
//   page += to_svg(chart);
//
// Colours come from the page's style (classes s0, s1 …), so that a chart follows light, dark and print.
// Thread contract: value types; functions are [any].
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace plumb {

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y) in the order of the line; not finite ones are left out
};

struct ChartBar {
  double from = 0, to = 0, height = 0;
};

struct ChartMark {  // a vertical line
  double x = 0;
  std::string label;
};

struct Chart {
  std::string title, caption;
  std::string x, y;  // what the axes show, with units
  std::vector<ChartLine> lines;
  std::vector<ChartBar> bars;
  std::vector<ChartMark> marks;
};

std::string to_svg(const Chart& chart);

// Columns: series, x, y (lines) and from, to, height (bars) and mark, x; RFC 4180 quoting. Cells that a spreadsheet
// would take for a formula begin with an apostrophe.
std::string to_csv(const Chart& chart);

// Steps of 1, 2 or 5 times a power of ten that cover [low, high] with about `wanted` steps; at least two.
std::vector<double> axis_ticks(double low, double high, int wanted);

}  // namespace plumb
