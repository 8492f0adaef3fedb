// A thread that waits for a connection or for the reply to its command, and the states it goes through.
#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/intrusive_queue.hpp"
#include "obol/error.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/verdict.hpp"
#include "redis/net/wake_signal.hpp"
#include "redis/pool/pooled_connection.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Only its own thread changes the state, except that other threads move it out of `queued` and `in_batch` under the
/// pool's lock, before they post to `signal`. An outcome is written before `answered` is posted; the own thread then
/// becomes `finished`.
class Waiter {
 public:
  enum class State : std::uint8_t {
    started,   ///< Not in the queue yet.
    queued,    ///< In the queue.
    dialing,   ///< Opens a connection, for which it has a slot.
    in_batch,  ///< Its command is in a batch that it does not lead.
    holding,   ///< Owns a connection: for itself, or to lead the batch on it.
    offered,   ///< Leads a batch that other threads may take from the hand-off slot.
    finished,  ///< Has its outcome.
  };

  /// Empty `command`: it wants a connection for itself.
  Waiter(std::string_view command_sent, Deadline call_deadline, Deadline end_of_wait,
         Sharing sharing_allowed = Sharing::allowed)
      : command(command_sent), deadline(call_deadline), waiting_ends(end_of_wait), sharing(sharing_allowed) {}

  State state() const { return state_; }

  void become(State next) {
    assert(may_become(state_, next));
    state_ = next;
  }

  void fail(CallFailure failure) {
    failure.may_have_acted = may_have_acted;
    outcome = std::unexpected(std::move(failure));
    become(State::finished);
  }

  static constexpr bool may_become(State from, State to) {
    using enum State;
    constexpr auto set = [](auto... states) { return (0U | ... | (1U << std::to_underlying(states))); };
    constexpr std::array<unsigned, 7> successors{
        set(queued, finished),                      // started: finished if too many wait already
        set(dialing, in_batch, holding, finished),  // queued
        set(queued, in_batch, holding, finished),   // dialing: queued again if another attempt may succeed
        set(queued, holding, offered, finished),    // in_batch: queued again if its connection broke
        set(queued, finished),                      // holding: queued again if the connection is of no use
        set(holding, finished),                     // offered
        set(),                                      // finished
    };
    return (successors[std::to_underlying(from)] & set(to)) != 0;
  }

  std::string_view command;
  Deadline deadline;
  Deadline waiting_ends;  ///< For a connection.
  Sharing sharing;
  unsigned group = 0;  ///< Of the parking lot.
  WakeSignal signal{};
  bool may_have_acted = false;                 ///< Its command was sent with a batch that was given up.
  Batch* batch = nullptr;                      ///< If `in_batch`, or if it leads: the one with its command.
  std::unique_ptr<PooledConnection> pooled{};  ///< If `holding` or `offered`.
  std::atomic<bool> is_back{false};            ///< For the hand-off slot.
  std::optional<Error> dial_error{};
  std::expected<Reply, CallFailure> outcome{};
  ServerIdentity answered_by{};  ///< With a reply.
  QueueLinks<Waiter> links{};

 private:
  State state_ = State::started;
};

/// Waiters that were told something under a lock and are woken without it.
class Wakes {
 public:
  explicit Wakes(ParkingLot& parking_lot) : parking_lot_(parking_lot) {}
  Wakes(const Wakes&) = delete;
  Wakes& operator=(const Wakes&) = delete;
  ~Wakes() {
    if (groups_ != 0) parking_lot_.wake(groups_);
  }

  void post(Waiter& waiter, WakeSignal::Word word) {
    groups_ |= ParkingLot::Groups{1} << waiter.group;
    waiter.signal.post(word);
  }

 private:
  ParkingLot& parking_lot_;
  ParkingLot::Groups groups_ = 0;
};

}}}  // namespace obol::v0::redis
