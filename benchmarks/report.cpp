// The table and the JSON.
#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace obol::benchmark {
namespace {

std::string goal_of(const Row& row) {
  if (row.least) return fmt::format("at least {:.2f}", *row.least);
  if (row.most) return fmt::format("at most {:.2f}", *row.most);
  return "";
}

std::string verdict_of(const Row& row) {
  if (!row.has_goal()) return "";
  return row.is_met() ? "met" : "**missed**";
}

std::string number(double value) { return value >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value); }

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {.low = values.front(), .median = values[values.size() / 2], .high = values.back()};
}

void Report::add(Row row) {
  fmt::print("{:28} {:46} {:>9} against {:>9} {:6} ratio {:5.2f} ({:.2f} to {:.2f}) {} {}\n", row.server, row.what,
             number(row.obol), number(row.bare), row.unit, row.ratio.median, row.ratio.low, row.ratio.high,
             goal_of(row), verdict_of(row));
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

std::string Report::to_markdown() const {
  std::string text =
      "| server | what | measured | limit | limit's | ratio (lowest to highest round) | goal | |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& row : rows_) {
    text += fmt::format("| {} | {} | {} {} | {} | {} {} | {:.2f} ({:.2f} to {:.2f}) | {} | {} |\n", row.server,
                        row.what, number(row.obol), row.unit, row.limit, number(row.bare), row.unit, row.ratio.median,
                        row.ratio.low, row.ratio.high, goal_of(row), verdict_of(row));
  }
  for (const auto& note : notes_) text += fmt::format("\n{}\n", note);
  for (const auto& chart : charts_) {
    text += fmt::format("\n### {}\n\n![{}]({}.svg)\n\n| {} |", chart.title, chart.title, chart.name, chart.x_title);
    for (const auto& series : chart.series) text += fmt::format(" {} |", series.name);
    text += "\n| --- |";
    for (std::size_t i = 0; i < chart.series.size(); ++i) text += " --- |";
    text += "\n";
    for (std::size_t i = 0; i < chart.x.size(); ++i) {
      text += fmt::format("| {} |", chart.x[i]);
      for (const auto& series : chart.series) text += fmt::format(" {} |", number(series.values[i]));
      text += "\n";
    }
  }
  return text;
}

std::string Report::to_json() const {
  std::string text;
  for (const auto& row : rows_) {
    text += fmt::format(
        R"({}  {{"server": "{}", "what": "{}", "limit": "{}", "obol": {}, "bare": {}, "unit": "{}", "ratio": {}, )"
        R"("ratio_low": {}, "ratio_high": {}, "goal": "{}", "met": {}}})",
        text.empty() ? "[\n" : ",\n", row.server, row.what, row.limit, row.obol, row.bare, row.unit, row.ratio.median,
        row.ratio.low, row.ratio.high, goal_of(row), row.is_met());
  }
  return text + "\n]\n";
}

void Report::write(const std::filesystem::path& folder) const {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "report.md") << to_markdown();
  std::ofstream(folder / "report.json") << to_json();
  for (const auto& chart : charts_) std::ofstream(folder / (chart.name + ".svg")) << to_svg(chart);
}

}  // namespace obol::benchmark
