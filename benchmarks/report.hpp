// Collects what was measured and writes it: a table, JSON, and a chart for each curve.
#pragma once

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace obol::benchmark {

/// Of several rounds.
struct Spread {
  double low = 0;
  double median = 0;
  double high = 0;
};
Spread spread_of(std::vector<double> values);

struct Row {
  std::string server;
  std::string what;
  std::string limit;  ///< What it is compared with.
  double obol = 0;    ///< Medians; another client's in rows that name it.
  double bare = 0;
  std::string unit;
  Spread ratio;  ///< Of Obol's to the limit's, round by round.
  std::optional<double> least{};
  std::optional<double> most{};

  bool has_goal() const { return least || most; }
  /// By the median as it is printed: a third digit means nothing.
  bool is_met() const {
    const double shown = std::round(ratio.median * 100) / 100;
    return (!least || shown >= *least) && (!most || shown <= *most);
  }
};

struct Series {
  std::string name;
  std::vector<double> values;
};

struct Chart {
  std::string name;  ///< Of the file.
  std::string title;
  std::string x_title;
  std::string y_title;
  std::vector<double> x;
  std::vector<Series> series;
};

/// The chart as SVG; both axes logarithmic.
std::string to_svg(const Chart& chart);

class Report {
 public:
  void add(Row row);
  void add(Chart chart) { charts_.push_back(std::move(chart)); }
  void add_note(std::string note) { notes_.push_back(std::move(note)); }

  /// report.md, report.json and the charts.
  void write(const std::filesystem::path& folder) const;

 private:
  std::string to_markdown() const;
  std::string to_json() const;
  std::vector<Row> rows_;
  std::vector<Chart> charts_;
  std::vector<std::string> notes_;
};

}  // namespace obol::benchmark
