// Draws and removes the bar.
#include "obolctl/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace obol::ctl {

std::string progress_line(double fraction, std::uint64_t count, const std::string& noun) {
  constexpr double width = 30;
  const auto done = static_cast<std::size_t>(std::clamp(fraction, 0.0, 1.0) * width);
  return fmt::format("[{:<30}] {:3.0f} %  {} {}", std::string(done, '#'), std::clamp(fraction, 0.0, 1.0) * 100, count,
                     noun);
}

Progress::Progress(std::string noun) : noun_(std::move(noun)), is_shown_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (is_drawn_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(double fraction, std::uint64_t count) {
  if (!is_shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_at_ < std::chrono::milliseconds(100)) return;
  drawn_at_ = now;
  fraction_ = std::max(fraction_, fraction);
  std::fputs(("\r" + progress_line(fraction_, count, noun_) + "\x1b[K").c_str(), stderr);
  is_drawn_ = true;
}

}  // namespace obol::ctl
