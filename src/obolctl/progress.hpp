// A progress bar on standard error, where that is a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace obol::ctl {

/// One line, as drawn.
std::string progress_line(double fraction, std::uint64_t count, const std::string& noun);

class Progress {
 public:
  explicit Progress(std::string noun);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Draws at most ten times a second, and never backwards.
  void show(double fraction, std::uint64_t count);

 private:
  std::string noun_;
  bool is_shown_;
  bool is_drawn_ = false;
  double fraction_ = 0;
  std::chrono::steady_clock::time_point drawn_at_{};
};

}  // namespace obol::ctl
