// Listens to a server's invalidations on a connection and a thread of its own.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/connection/identifying_source.hpp"
#include "redis/core/deadline.hpp"
#include "redis/net/wake_signal.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Keeps CLIENT TRACKING on, in broadcasting mode, for the keys that begin with a prefix. Dials again if the connection
/// is lost, or if the source's connections have come to lead to another server. In a forked child it does nothing.
/// Source: https://redis.io/docs/latest/commands/client-tracking/
class Tracking {
 public:
  /// Told from Tracking's thread (the first time from start's); must not throw.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// From now on every change is told that this server makes.
    virtual void on_listening(ServerIdentity server) noexcept = 0;
    virtual void on_change(std::string_view key) noexcept = 0;  ///< A key was written, deleted, or has expired.
    virtual void on_flush() noexcept = 0;                       ///< All keys may have changed.
    /// All changes up to then have been told; the server was a primary, and the one that the source leads to.
    virtual void on_alive(Deadline::Time::time_point then) noexcept = 0;
    virtual void on_lost(std::string_view reason) noexcept = 0;
    virtual void on_fork() noexcept = 0;  ///< In a forked child: nothing will be told here. No lock may be taken.
  };

  struct Settings {
    std::string prefix;
    std::chrono::milliseconds connect_timeout;
    std::chrono::milliseconds question_interval;  ///< Between signs of life.
    std::chrono::milliseconds patience;           ///< For a sign of life, before the connection counts as lost.
    std::chrono::milliseconds lifetime;           ///< Of a connection: the address may come to lead elsewhere.
  };

  /// `source` and `listener` must outlive it.
  Tracking(IdentifyingSource& source, Listener& listener, Settings settings);
  ~Tracking();
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  /// Makes the first connection, or says why not, and starts the thread.
  Result<void> start();

  /// Returns once the thread has ended: at once, or while it dials within the connect time-out. If it is called from
  /// that thread, by the listener, the thread ends when the listener returns. In a forked child it does nothing.
  void stop();

 private:
  Result<Connection> subscribe();
  Result<Connection> begin();
  void run(Connection connection);
  std::string follow(Connection& connection);
  std::string listen(Connection& connection);
  Result<void> renew(Connection& connection);
  Result<void> send_heartbeat(Connection& connection);
  void take_push(const Reply& push);
  bool is_stopping() const { return stop_.word() != WakeSignal::none; }
  bool set_descriptor(int descriptor);
  void pause(std::chrono::microseconds time);
  void await_end();
  void forget_parent();

  IdentifyingSource& source_;
  Listener& listener_;
  const Settings settings_;
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
