// Line charts as SVG.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "report.hpp"

namespace obol::benchmark {
namespace {

constexpr double width = 760;
constexpr double height = 420;
constexpr double left = 80;
constexpr double right = 190;
constexpr double top = 50;
constexpr double bottom = 60;
constexpr std::array colors{"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"};

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

std::string line(double x1, double y1, double x2, double y2, std::string_view color) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2, y2,
                     color);
}

std::string grid(const Chart& chart, const Axis& x, const Axis& y, double least, double most) {
  std::string svg;
  for (const double value : chart.x) {
    svg += line(x.at(value), top, x.at(value), height - bottom, "#eee");
    svg += text_at(x.at(value), height - bottom + 18, "middle", label(value));
  }
  for (double decade = std::pow(10, std::floor(std::log10(least))); decade <= most * 1.001; decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double value = decade * step;
      if (value < least * 0.999 || value > most * 1.001) continue;
      svg += line(left, y.at(value), width - right, y.at(value), "#ddd");
      svg += text_at(left - 8, y.at(value) + 4, "end", label(value));
    }
  }
  return svg;
}

std::string curve(const Chart& chart, const Series& series, const Axis& x, const Axis& y, std::string_view color) {
  std::string points;
  std::string dots;
  for (std::size_t i = 0; i < chart.x.size(); ++i) {
    points += fmt::format("{:.1f},{:.1f} ", x.at(chart.x[i]), y.at(series.values[i]));
    dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", x.at(chart.x[i]),
                        y.at(series.values[i]), color);
  }
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n{}", color, points,
                     dots);
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
      "font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"#fff\"/>\n",
      width, height);
  svg += text_at(left, 26, "start", chart.title, "font-size=\"16\" font-weight=\"bold\"");
  svg += grid(chart, x, y, least, most);
  svg += text_at((left + width - right) / 2, height - 18, "middle", chart.x_title);
  svg += text_at(20, height / 2, "middle", chart.y_title, fmt::format("transform=\"rotate(-90 20 {})\"", height / 2));
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const std::string_view color = colors[i % colors.size()];
    svg += curve(chart, chart.series[i], x, y, color);
    const double row = top + 10 + static_cast<double>(i) * 20;
    svg += line(width - right + 12, row, width - right + 32, row, color);
    svg += text_at(width - right + 38, row + 4, "start", chart.series[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace obol::benchmark
