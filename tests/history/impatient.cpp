// Says which calls are given up, and cancels them in a thread of its own.
#include "history/impatient.hpp"

namespace obol::testing::history {

std::stop_token Cancellations::cancel_after(std::chrono::microseconds delay) {
  std::stop_source source;
  auto token = source.get_token();
  if (delay.count() == 0) {
    source.request_stop();
    return token;
  }
  const std::scoped_lock lock(mutex_);
  due_.push({.at = Clock::now() + delay, .source = std::move(source)});
  changed_.notify_one();
  return token;
}

void Cancellations::cancel_when_due(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (due_.empty()) {
      changed_.wait(lock, stop, [this] { return !due_.empty(); });
      continue;
    }
    const auto at = due_.top().at;
    if (Clock::now() < at) {
      changed_.wait_until(lock, stop, at, [this, at] { return due_.top().at < at; });
      continue;
    }
    auto source = due_.top().source;
    due_.pop();
    lock.unlock();
    source.request_stop();
    lock.lock();
  }
}

// Every power of two is as likely as the next: the ends of calls lie at the scale of a round trip, of a pause before a
// call is repeated, or of a fault.
CallOptions Impatient::options() {
  constexpr std::uint32_t one_in = 16;
  constexpr std::uint32_t longest_delay = 14;  // 16 ms
  constexpr std::uint32_t longest_limit = 7;   // 64 ms
  const std::scoped_lock lock(mutex_);
  CallOptions options;
  if (any(one_in) == 0) {
    const auto scale = any(longest_delay + 1);
    options.stop = cancellations_.cancel_after(std::chrono::microseconds(scale == 0 ? 0 : any(1U << scale)));
  }
  if (has_limits_ && any(one_in) == 0) options.timeout = std::chrono::milliseconds(1U << any(longest_limit));
  return options;
}

}  // namespace obol::testing::history
