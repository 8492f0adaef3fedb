// Commands that share one send, and the replies that come back for them.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "redis/protocol/marker.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Replies belong to commands by their order alone. So behind several commands goes a marker, and no reply counts
/// before the marker has come back in its place. What throws std::bad_alloc leaves it as it was.
/// Not thread-safe.
class Flight {
 public:
  enum class Marked { if_several, always };

  static constexpr auto any_size = std::numeric_limits<std::size_t>::max();

  /// The replies of several commands together may hold `most_held` bytes.
  explicit Flight(std::size_t most_held = any_size) : most_held_(most_held) {}

  /// Until clear(): one caller asked for all of them.
  void hold_any_size() { holds_any_size_ = true; }

  /// Takes the next command in.
  void add(std::string_view command);

  /// Takes the last commands out again, until there are as many commands and bytes as there were.
  void take_back(std::size_t calls, std::size_t bytes);

  /// No other command follows.
  void seal(Marked marked = Marked::if_several);

  /// What is sent.
  std::string_view bytes() const { return bytes_; }
  std::size_t calls() const { return calls_; }

  /// Takes the next reply. True once all are there and are known to belong to their commands; then `replies` has one
  /// for each command. `unavailable` if they do not belong to them; "out of memory" if they hold too much together.
  Result<bool> take(Reply&& reply);

  /// How many commands have a reply, and what those replies hold.
  std::size_t answered() const { return replies_.size(); }
  std::size_t reply_bytes() const { return reply_bytes_; }

  std::vector<Reply>& replies() { return replies_; }

  /// Once the replies are handed out: drops those that nobody took, and a large buffer.
  void give_memory_back();

  /// Begins anew.
  void clear();

 private:
  bool is_complete() const { return answered() == calls_ && !marker_; }

  std::size_t most_held_;
  bool holds_any_size_ = false;
  std::string bytes_;
  std::size_t calls_ = 0;
  std::optional<Marker> marker_;  ///< That is still to come.
  std::vector<Reply> replies_;
  std::size_t reply_bytes_ = 0;
};

}}}  // namespace obol::v0::redis
