#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <set>

#include "framework/core/report/comparison_table.h"
#include "framework/core/report/sections.h"

namespace plumb {
namespace {

// The row that a row's rewards were compared with; its own where there was none. Rows with the same one were scored by
// the same reward model, and only these share a figure.
std::size_t leader_of(const Measure& reward, std::size_t row) {
  const auto& cell = reward.cells[row];
  return cell && cell->difference ? cell->difference->over : row;
}

// "updates-64" and "ppo,max_steps=64" are rows of a family: what stands before the number at the end, and the number.
std::optional<std::pair<std::string, double>> family_of(const std::string& row) {
  const std::size_t equals = row.rfind('=');  // before a number that may hold a dash: 1e-04
  const std::size_t at = equals != std::string::npos ? equals : row.rfind('-');
  if (at == std::string::npos || at + 1 == row.size()) return std::nullopt;
  double number = 0;
  const auto [end, failed] = std::from_chars(row.data() + at + 1, row.data() + row.size(), number);
  if (failed != std::errc() || end != row.data() + row.size()) return std::nullopt;
  return std::pair{row.substr(0, at), number};
}

// The points of a family of four or more become one line in the order of its numbers.
void connect_families(Chart& chart) {
  std::map<std::string, std::map<double, std::pair<double, double>>> families;
  for (const ChartLine& line : chart.lines) {
    if (const auto family = family_of(line.name)) families[family->first][family->second] = line.points.front();
  }
  std::erase_if(families, [](const auto& family) { return family.second.size() < 4; });
  std::vector<ChartLine> lines;
  std::set<std::string> drawn;
  for (ChartLine& line : chart.lines) {
    const auto name = family_of(line.name);
    const auto family = name ? families.find(name->first) : families.end();
    if (family == families.end()) {
      lines.push_back(std::move(line));
      continue;
    }
    if (!drawn.insert(name->first).second) continue;
    const auto& points = family->second;
    lines.push_back(
        {fmt::format("{} from {:g} to {:g}", name->first, points.begin()->first, points.rbegin()->first), {}});
    for (const auto& point : points) lines.back().points.push_back(point.second);
  }
  chart.lines = std::move(lines);
}

Figure tradeoff_figure(const Comparison& comparison, const Measure& reward, const Measure& score, std::size_t leader) {
  Figure figure{fmt::format("{}-against-{}", reward.name, score.name), {}, {}};
  figure.chart.title = fmt::format("{} and {} score", reward.name, score.name);
  if (leader != comparison.baseline) {
    figure.file += "-" + comparison.rows[leader];
    figure.chart.title += fmt::format(" by the reward model of {}", comparison.rows[leader]);
  }
  figure.chart.title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(figure.chart.title[0])));
  figure.chart.caption =
      "A point a row, mean over seeds; four or more that differ in a number are a line in its order. A row at the "
      "right "
      "of another and below it has learnt to please the reward model rather than the judge (over-optimisation).";
  figure.chart.x = reward.name, figure.chart.y = score.name;
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    if (!score.cells[i] || !reward.cells[i] || leader_of(reward, i) != leader) continue;
    figure.chart.lines.push_back({comparison.rows[i], {{reward.cells[i]->mean, score.cells[i]->mean}}});
  }
  connect_families(figure.chart);
  return figure;
}

Table tradeoff_table(const Comparison& comparison, const std::string& reward, const std::string& score) {
  const auto gain = [](const Interval& b) {
    return fmt::format("{:+.3f} ({:+.3f} to {:+.3f})", b.mean, b.low, b.high);
  };
  Table table{{"row", "over", reward + " gained, 95 %", score + " gained, 95 %", "over-optimised"}, {}};
  for (const Tradeoff& t : comparison.tradeoffs) {
    if (t.reward != reward || t.score != score) continue;
    table.rows.push_back({comparison.rows[t.row], comparison.rows[t.over], gain(t.reward_gain), gain(t.score_gain),
                          t.over_optimised() ? "yes" : "no"});
  }
  return table;
}

}  // namespace

// Where a reward model is exploited, its reward rises and the judge's score falls: every row as a point, and in
// numbers.
void add_tradeoffs(Document& page, const Comparison& comparison) {
  std::set<std::pair<std::string, std::string>> seen;
  const auto find = [&](const std::string& name) {
    return std::find_if(comparison.measures.begin(), comparison.measures.end(),
                        [&](const Measure& m) { return m.name == name; });
  };
  for (const Tradeoff& tradeoff : comparison.tradeoffs) {
    if (!seen.insert({tradeoff.reward, tradeoff.score}).second) continue;
    if (seen.size() == 1) {
      page.add(Heading{2, "Over-optimisation"});
      Bullets said;
      for (const std::string& sentence : over_optimisation(comparison)) said.items.push_back({{sentence}});
      page.add(std::move(said));
    }
    const auto reward = find(tradeoff.reward), score = find(tradeoff.score);
    for (std::size_t leader = 0; leader < comparison.rows.size(); ++leader) {
      Figure figure = tradeoff_figure(comparison, *reward, *score, leader);
      if (figure.chart.lines.size() > 1) page.add(std::move(figure));
    }
    page.add(tradeoff_table(comparison, tradeoff.reward, tradeoff.score));
  }
}

}  // namespace plumb
