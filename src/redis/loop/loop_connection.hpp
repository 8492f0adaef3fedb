// A connection that never blocks, with any number of flights in the air.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/core/batch_limit.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/flight.hpp"
#include "redis/loop/loop_timer.hpp"
#include "redis/loop/poller.hpp"
#include "redis/protocol/function_library.hpp"

namespace obol { inline namespace v0 { namespace redis {

class EngineCall;
class LoopNode;

/// A call aboard a flight.
struct Passenger {
  EngineCall* call = nullptr;                      ///< Null: it was given up; its replies are dropped.
  std::uint32_t commands = 1;                      ///< Of its own, a question for the time included.
  bool asks = false;                               ///< ASKING is in front of each.
  bool asks_time = false;                          ///< TIME is the last of its commands.
  FunctionForm functions = FunctionForm::library;  ///< What its calls of functions are sent for.

  std::size_t replies() const { return std::size_t{commands} * (asks ? 2 : 1); }
  /// Commands that the call counts as.
  std::size_t weight() const { return commands - (asks_time ? 1U : 0U); }
};

/// Commands of several calls in one send.
struct PassengerFlight {
  /// BatchLimit expects less; if replies suddenly are larger, this ends the connection.
  static constexpr std::size_t most_held = 16 * BatchLimit::most_reply_bytes;

  Flight flight{most_held};
  std::vector<Passenger> passengers;
  Deadline::Time::time_point sent_at{};
  std::size_t end = 0;  ///< Where its bytes end among all that the connection has sent.

  /// Whose reply is being read; null if all have theirs.
  Passenger* next_to_answer();
};

/// Not thread-safe. After an error it is of no use any more, and gives its flights up.
class LoopConnection {
 public:
  using Time = Deadline::Time::time_point;

  /// Of a connection whose handshake is done. `internal` if the operating system cannot watch it.
  static Result<std::unique_ptr<LoopConnection>> adopt(Connection connection, Poller& poller, LoopNode& node, Time now);
  ~LoopConnection();
  LoopConnection(const LoopConnection&) = delete;
  LoopConnection& operator=(const LoopConnection&) = delete;

  LoopNode& node() const { return node_; }
  bool is_idle() const { return flights_.empty(); }
  std::size_t flights() const { return flights_.size(); }

  /// True if the kernel has not taken all that was sent before: what is sent now only waits here.
  bool is_congested() const { return unwritten().size() > most_unwritten; }

  /// Sends the flight behind all others, or keeps what the kernel does not take yet. An error as receive(). What throws
  /// std::bad_alloc leaves the flight to the caller, or in the air; the connection is of no use then.
  Result<void> send(std::unique_ptr<PassengerFlight>& flight, Time now);

  /// Sends what was kept.
  Result<void> flush();
  bool has_unwritten() const { return !unwritten().empty(); }

  /// True if it can be read on only once it is writable.
  bool read_needs_writing() const { return read_needs_writing_; }

  /// Takes in what has come, into `buffer` first. True if more may be there. `unavailable`, `protocol` and so on if the
  /// connection is lost.
  Result<bool> receive(std::span<char> buffer);

  /// The oldest flight, once all its replies have come; null if they have not. An error as receive().
  Result<std::unique_ptr<PassengerFlight>> next_answered();

  /// All that are in the air, oldest first.
  std::deque<std::unique_ptr<PassengerFlight>>& in_flight() { return flights_; }

  /// True if at least one byte of it was given to the kernel. Of a flight in the air.
  bool was_sent(const PassengerFlight& flight) const { return written_ > flight.end - flight.flight.bytes().size(); }

  /// When the oldest flight was sent; only if there is one.
  Time oldest_sent_at() const { return flights_.front()->sent_at; }

  /// What the kernel holds must not reach the server any more.
  void reset();

  ServerIdentity identity() const { return state_.identity(); }
  const ServerVersion& server() const { return state_.server(); }

  Time retire_at{};  ///< Its lifetime ends.
  Time idle_since;
  bool is_counted_as_used = false;
  bool is_closed = false;  ///< It will be destroyed.
  bool is_unread = false;  ///< It had more to read when it had had its share of the last round.
  LoopTimer timer;         ///< Of the flights' time-out.

 private:
  static constexpr std::size_t most_unwritten = std::size_t{1024} * 1024;

  LoopConnection(ConnectionParts parts, Poller& poller, LoopNode& node, Time now);
  std::string_view unwritten() const { return std::string_view(outgoing_).substr(taken_); }
  void watch_for_writing(bool for_writing);

  std::unique_ptr<Stream> stream_;
  ConnectionState state_;
  std::shared_ptr<CredentialsSource> credentials_;
  Poller& poller_;
  LoopNode& node_;
  std::string outgoing_;
  std::size_t taken_ = 0;       ///< How much of `outgoing_` the kernel has.
  std::size_t written_ = 0;     ///< How much of all that was ever sent the kernel has.
  std::size_t unanswered_ = 0;  ///< Commands that were sent, markers included.
  bool is_watched_for_writing_ = false;
  bool read_needs_writing_ = false;
  std::deque<std::unique_ptr<PassengerFlight>> flights_;
};

}}}  // namespace obol::v0::redis
