// Listens to a server's invalidations on a connection and a thread of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/connection/identifying_source.hpp"
#include "redis/core/deadline.hpp"
#include "redis/net/wake_descriptor.hpp"
#include "redis/net/wake_signal.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Keeps CLIENT TRACKING on: in broadcasting mode for the keys that begin with a prefix, or for the keys that the
/// listener reads over this connection. Dials again if the connection is lost. In a forked child it does nothing.
/// Source: https://redis.io/docs/latest/commands/client-tracking/
class Tracking {
 public:
  /// Told from Tracking's thread (the first time from start's); must not throw.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// From now on every change is told that this server makes.
    virtual void on_listening(ServerIdentity server) = 0;
    virtual void on_change(std::string_view key) noexcept = 0;  ///< A key was written, deleted, or has expired.
    virtual void on_flush() noexcept = 0;                       ///< All keys may have changed.
    /// All changes up to then have been told; the server was a primary, and the one that the source leads to.
    virtual void on_alive(Deadline::Time::time_point then) noexcept = 0;
    virtual void on_lost(std::string_view reason) noexcept = 0;
    virtual void on_fork() noexcept = 0;  ///< In a forked child: nothing will be told here. No lock may be taken.

    // Of keys that are read only. If one of these, or on_listening, throws std::bad_alloc, the connection is given up.

    /// Encoded commands that read, and how many there are.
    struct Reads {
      std::string commands{};
      std::size_t count = 0;
    };
    /// What shall be read now, at most so many commands. Asked whenever there is room for more, and after wake().
    virtual Reads next_reads(std::size_t /*most*/) { return {}; }
    /// The reply to the next command that was read; an error ends the connection.
    virtual Result<void> on_reply(const Reply& /*reply*/) { return {}; }
    /// No connection could be opened: `on_lost` again, or for the first time. May take its time.
    virtual void on_unreachable() {}
  };

  struct Settings {
    std::string purpose;             ///< Who needs the right to do this; for messages.
    std::string prefix{};            ///< In broadcasting mode.
    std::optional<Command> probe{};  ///< A read that must be permitted.
    std::chrono::milliseconds connect_timeout;
    std::chrono::milliseconds question_interval;  ///< Between signs of life.
    std::chrono::milliseconds patience;           ///< For a sign of life, before the connection counts as lost.
    std::chrono::milliseconds lifetime;           ///< Of a connection: the address may come to lead elsewhere.
  };

  /// Broadcasting. Dials again also if the source's connections have come to lead to another server. `source` and
  /// `listener` must outlive it.
  Tracking(IdentifyingSource& source, Listener& listener, Settings settings);
  /// For keys that are read.
  Tracking(ConnectionSource& source, Listener& listener, Settings settings);
  ~Tracking();
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  /// Makes the first connection, or says why not, and starts the thread.
  Result<void> start();

  /// Starts the thread, which makes the first connection. `unavailable` if there is no thread.
  Result<void> start_unconnected();

  /// The listener has something to read. Thread-safe.
  void wake() noexcept;

  /// Returns once the thread has ended: at once, or while it dials within the connect time-out. If it is called from
  /// that thread, by the listener, the thread ends when the listener returns. In a forked child it does nothing.
  void stop();

 private:
  /// Of one connection.
  struct Course {
    Deadline::Time::time_point next_question;
    Deadline::Time::time_point lifetime_ends;
    Deadline::Time::time_point heard_at;                   ///< When the last awaited answer came, or was asked for.
    std::optional<Deadline::Time::time_point> asked_at{};  ///< When the question was sent that is not answered yet.
    std::size_t unanswered = 0;                            ///< Reads.
  };

  Tracking(ConnectionSource& source, IdentifyingSource* identifying, Listener& listener, Settings settings);
  Result<void> start_thread(std::optional<Connection> connection);
  Result<Connection> subscribe();
  Result<void> track(Connection& connection, Deadline deadline);
  Result<Connection> begin();
  void run(std::optional<Connection> connection);
  std::string follow(Connection& connection);
  Result<void> listen(Connection& connection);
  Result<void> take_in(Connection& connection, Course& course);
  Result<void> ask(Connection& connection, Course& course);
  Result<void> read(Connection& connection, Course& course);
  Result<void> renew(Connection& connection);
  Result<void> wait(Connection& connection, const Course& course);
  Result<void> send_heartbeat(Connection& connection);
  Result<void> check_address(const Connection& connection) const;
  void take_push(const Reply& push);
  bool is_broadcasting() const { return identifying_ != nullptr; }
  bool is_stopping() const { return stop_.word() != WakeSignal::none; }
  bool set_descriptor(int descriptor);
  void pause(std::chrono::microseconds time);
  void await_end();
  void forget_parent();

  ConnectionSource& source_;
  IdentifyingSource* const identifying_;  ///< Null if keys are tracked that are read.
  Listener& listener_;
  const Settings settings_;
  WakeDescriptor waker_;
  std::mutex mutex_;
  int descriptor_ = -1;  ///< Shut down to wake the thread.
  std::unique_ptr<std::thread> thread_;
  std::thread::id thread_id_{};
  bool is_joining_ = false;
  WakeSignal stop_{};
  WakeSignal ended_{};  ///< Posted by the caller that joined the thread.
  /// Not a condition variable: a forked child could not destroy one that a thread of its parent waits on.
  ParkingLot parking_lot_;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
