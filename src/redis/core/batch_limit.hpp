// How many calls may share one send.
#pragma once

#include <algorithm>
#include <cstddef>

namespace obol { inline namespace v0 { namespace redis {

/// A batch is bounded by its calls, by the bytes of their commands, and by the bytes that their replies can be expected
/// to have, judged by those of the batches before it. Not thread-safe.
class BatchLimit {
 public:
  static constexpr std::size_t most_calls = 256;
  static constexpr std::size_t most_command_bytes = std::size_t{1024} * 1024;
  static constexpr std::size_t most_reply_bytes = std::size_t{4} * 1024 * 1024;

  /// How many calls there may be in a batch as far as their replies are concerned; at least one.
  std::size_t calls() const { return calls_; }

  /// Whether a call may join `calls` others whose commands have `bytes` together. The first one always may.
  bool admits(std::size_t calls, std::size_t bytes, std::size_t command) const {
    if (calls == 0) return true;
    return calls < calls_ && bytes < most_command_bytes && command <= most_command_bytes - bytes;
  }

  /// So many calls had replies of so many bytes. Larger replies count at once, smaller ones little by little.
  void note(std::size_t calls, std::size_t reply_bytes) {
    if (calls == 0) return;
    const auto mean = static_cast<double>(reply_bytes) / static_cast<double>(calls);
    mean_ = std::max(mean, mean_ + (mean - mean_) / 16);
    calls_ = std::clamp<std::size_t>(static_cast<std::size_t>(most_reply_bytes / std::max(mean_, 1.0)), 1, most_calls);
  }

 private:
  double mean_ = 0;  ///< Bytes of a reply.
  std::size_t calls_ = most_calls;
};

}}}  // namespace obol::v0::redis
