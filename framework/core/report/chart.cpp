#include "framework/core/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/core/report/html.h"
#include "framework/core/telemetry/text.h"

namespace plumb {
namespace {

constexpr double kWidth = 680, kHeight = 300, kLeft = 64, kRight = 16, kTop = 24, kBottom = 48;
constexpr std::size_t kDots = 40;  // a line of more points shows no dots: they would hide it

bool finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void take(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void settle() {
    if (low > high) low = 0, high = 1;
    if (low == high) {
      const double room = low == 0 ? 1 : std::abs(low) * 0.5;
      low -= room;
      high += room;
    }
  }
};

std::string number(double value, double step) {
  if (std::abs(value) < step * 1e-9) value = 0;
  if (std::abs(value) >= 1e6 || step < 1e-5) return fmt::format("{:.3g}", value);
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", value, digits);
}

// From data to the drawing's units.
struct Axes {
  std::vector<double> x_ticks, y_ticks;
  Range x, y;

  explicit Axes(const Chart& chart) {
    for (const ChartLine& line : chart.lines) {
      for (const auto& point : line.points) {
        if (finite(point)) x.take(point.first), y.take(point.second);
      }
    }
    for (const ChartBar& bar : chart.bars) x.take(bar.from), x.take(bar.to), y.take(bar.height), y.take(0);
    for (const ChartMark& mark : chart.marks) x.take(mark.x);
    x.settle(), y.settle();
    x_ticks = axis_ticks(x.low, x.high, 8);
    y_ticks = axis_ticks(y.low, y.high, 5);
    // The values' axis ends at ticks; along x the data decide, so that a training's curve fills the figure.
    y.low = std::min(y.low, y_ticks.front()), y.high = std::max(y.high, y_ticks.back());
  }
  [[nodiscard]] double at_x(double value) const {
    return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double at_y(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

void draw_axes(std::string& svg, const Chart& chart, const Axes& axes) {
  const double y_step = axes.y_ticks[1] - axes.y_ticks[0], x_step = axes.x_ticks[1] - axes.x_ticks[0];
  for (const double tick : axes.y_ticks) {
    const double y = axes.at_y(tick);
    svg += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft, kWidth - kRight, y, y);
    svg += fmt::format(R"(<text class="tick" text-anchor="end" x="{}" y="{:.1f}">{}</text>)", kLeft - 8, y + 4,
                       number(tick, y_step));
  }
  for (const double tick : axes.x_ticks) {
    if (tick < axes.x.low - x_step * 1e-6 || tick > axes.x.high + x_step * 1e-6) continue;
    svg += fmt::format(R"(<text class="tick" text-anchor="middle" x="{:.1f}" y="{}">{}</text>)", axes.at_x(tick),
                       kHeight - kBottom + 18, number(tick, x_step));
  }
  svg += fmt::format(R"(<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>)", kLeft, kWidth - kRight,
                     kHeight - kBottom, kHeight - kBottom);
  svg += fmt::format(R"(<text class="label" text-anchor="middle" x="{}" y="{}">{}</text>)",
                     (kLeft + kWidth - kRight) / 2, kHeight - 8, escape_html(chart.x));
  svg += fmt::format(R"(<text class="label" text-anchor="start" x="{}" y="{}">{}</text>)", 8, 14, escape_html(chart.y));
}

void draw_bars(std::string& svg, const Chart& chart, const Axes& axes) {
  for (const ChartBar& bar : chart.bars) {
    const double left = axes.at_x(bar.from), right = axes.at_x(bar.to), top = axes.at_y(bar.height);
    svg += fmt::format(
        R"(<rect class="bar s0" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{:.4g} to {:.4g}: {:.6g}</title></rect>)",
        left, top, std::max(right - left - 1, 0.5), std::max(axes.at_y(0) - top, 0.0), bar.from, bar.to, bar.height);
  }
}

void draw_lines(std::string& svg, const Chart& chart, const Axes& axes) {
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const ChartLine& line = chart.lines[i];
    std::string points, dots;
    std::size_t count = 0;
    for (const auto& point : line.points) {
      if (!finite(point)) continue;
      ++count;
      points += fmt::format("{:.1f},{:.1f} ", axes.at_x(point.first), axes.at_y(point.second));
      dots += fmt::format(
          R"(<circle class="dot s{}{}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}: {:.6g}, {:.6g}</title></circle>)",
          i % 7, i < 7 ? "" : " ring", axes.at_x(point.first), axes.at_y(point.second), escape_html(line.name),
          point.first, point.second);
    }
    svg += fmt::format(R"(<polyline class="line s{} d{}" points="{}"/>)", i % 7, i / 7 % 3, points);
    if (count <= kDots) svg += dots;
  }
}

void draw_marks(std::string& svg, const Chart& chart, const Axes& axes) {
  for (std::size_t i = 0; i < chart.marks.size(); ++i) {
    const double x = axes.at_x(chart.marks[i].x);
    const bool left = x > kWidth * 0.6;  // the label stands where there is room
    svg +=
        fmt::format(R"(<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>)", x, kTop, kHeight - kBottom);
    svg +=
        fmt::format(R"(<text class="marked" text-anchor="{}" x="{:.1f}" y="{}">{}</text>)", left ? "end" : "start",
                    left ? x - 5 : x + 5, kTop + 10 + 14 * static_cast<double>(i), escape_html(chart.marks[i].label));
  }
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int wanted) {
  const double rough = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(rough)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = power * factor;
    if (step >= rough * (1 - 1e-9)) break;
  }
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9), last = std::max(std::ceil(high / step - 1e-9), first + 1);
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string to_svg(const Chart& chart) {
  const Axes axes(chart);
  std::string svg =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", kWidth, kHeight, escape_html(chart.title));
  draw_axes(svg, chart, axes);
  draw_bars(svg, chart, axes);
  draw_lines(svg, chart, axes);
  draw_marks(svg, chart, axes);
  return svg + "</svg>";
}

std::string to_csv(const Chart& chart) {
  std::string csv;
  if (!chart.bars.empty()) {
    csv += "from,to,height\n";
    for (const ChartBar& bar : chart.bars) csv += fmt::format("{},{},{}\n", bar.from, bar.to, bar.height);
  }
  if (!chart.lines.empty()) {
    csv += fmt::format("series,{},{}\n", csv_field(chart.x), csv_field(chart.y));
    for (const ChartLine& line : chart.lines) {
      for (const auto& [x, y] : line.points) csv += fmt::format("{},{},{}\n", csv_field(line.name), x, y);
    }
  }
  if (!chart.marks.empty()) {
    csv += fmt::format("mark,{}\n", csv_field(chart.x));
    for (const ChartMark& mark : chart.marks) csv += fmt::format("{},{}\n", csv_field(mark.label), mark.x);
  }
  return csv;
}

}  // namespace plumb
