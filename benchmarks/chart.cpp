// Line charts as SVG, for light and dark pages.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "report.hpp"

namespace obol::benchmark {
namespace {

constexpr double width = 760;
constexpr double height = 420;
constexpr double left = 80;
constexpr double right = 190;
constexpr double top = 50;
constexpr double bottom = 60;
constexpr std::size_t color_count = 4;
/// Colours for light and dark pages, the same as those of scripts/charts.
constexpr std::string_view style = R"(<style>
.paper, circle { fill: #ffffff } text { fill: #1f2328 } .grid { stroke: #d1d9e0 }
.c0 { stroke: #0969da } .c1 { stroke: #bf8700 } .c2 { stroke: #1a7f37 } .c3 { stroke: #8250df }
@media (prefers-color-scheme: dark) {
  .paper, circle { fill: #0d1117 } text { fill: #f0f6fc } .grid { stroke: #3d444d }
  .c0 { stroke: #4493f8 } .c1 { stroke: #d29922 } .c2 { stroke: #3fb950 } .c3 { stroke: #ab7df8 }
}
</style>
)";

/// A logarithmic axis over whole decades or, within less than one, over the values themselves.
class Axis {
 public:
  Axis(double least, double most, double from, double to)
      : low_(std::log10(least)), high_(std::log10(std::max(most, least * 1.01))), from_(from), to_(to) {}
  double at(double value) const { return from_ + (std::log10(value) - low_) / (high_ - low_) * (to_ - from_); }

 private:
  double low_;
  double high_;
  double from_;
  double to_;
};

std::string label(double value) {
  if (value >= 1e6) return fmt::format("{:g} M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:g} k", value / 1e3);
  return fmt::format("{:g}", value);
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", x, y, anchor, more, text);
}

std::string line(double x1, double y1, double x2, double y2, std::string_view kind) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1, y1, x2,
                     y2);
}

std::string grid(const Chart& chart, const Axis& x, const Axis& y, double least, double most) {
  std::string svg;
  for (const double value : chart.x) {
    svg += line(x.at(value), top, x.at(value), height - bottom, "grid");
    svg += text_at(x.at(value), height - bottom + 18, "middle", label(value));
  }
  for (double decade = std::pow(10, std::floor(std::log10(least))); decade <= most * 1.001; decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double value = decade * step;
      if (value < least * 0.999 || value > most * 1.001) continue;
      svg += line(left, y.at(value), width - right, y.at(value), "grid");
      svg += text_at(left - 8, y.at(value) + 4, "end", label(value));
    }
  }
  return svg;
}

std::string curve(const Chart& chart, const Series& series, const Axis& x, const Axis& y, std::string_view kind) {
  std::string points;
  std::string dots;
  for (std::size_t i = 0; i < chart.x.size(); ++i) {
    points += fmt::format("{:.1f},{:.1f} ", x.at(chart.x[i]), y.at(series.values[i]));
    dots += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" stroke-width=\"2\"/>\n", kind,
                        x.at(chart.x[i]), y.at(series.values[i]));
  }
  return fmt::format("<polyline class=\"{}\" fill=\"none\" stroke-width=\"2\" points=\"{}\"/>\n{}", kind, points, dots);
}

}  // namespace

std::string to_svg(const Chart& chart) {
  double least = std::numeric_limits<double>::max();
  double most = 0;
  for (const auto& series : chart.series) {
    least = std::min(least, std::ranges::min(series.values));
    most = std::max(most, std::ranges::max(series.values));
  }
  least /= 1.3;
  most *= 1.3;
  const Axis x(std::ranges::min(chart.x), std::ranges::max(chart.x), left, width - right);
  const Axis y(least, most, height - bottom, top);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"system-ui, sans-serif\" font-size=\"12\">\n{2}<rect class=\"paper\" width=\"100%\" "
      "height=\"100%\" "
      "rx=\"8\"/>\n",
      width, height, style);
  svg += text_at(left, 26, "start", chart.title, "font-size=\"16\" font-weight=\"bold\"");
  svg += grid(chart, x, y, least, most);
  svg += text_at((left + width - right) / 2, height - 18, "middle", chart.x_title);
  svg += text_at(20, height / 2, "middle", chart.y_title, fmt::format("transform=\"rotate(-90 20 {})\"", height / 2));
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const auto kind = fmt::format("c{}", i % color_count);
    svg += curve(chart, chart.series[i], x, y, kind);
    const double row = top + 10 + static_cast<double>(i) * 20;
    svg += line(width - right + 12, row, width - right + 32, row, kind);
    svg += text_at(width - right + 38, row + 4, "start", chart.series[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace obol::benchmark
