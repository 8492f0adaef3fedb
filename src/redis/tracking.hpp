// Listens to a server's invalidations on a connection and a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "fork_registration.hpp"
#include "obol/error.hpp"
#include "redis/connection.hpp"
#include "redis/connection_source.hpp"
#include "redis/deadline.hpp"

namespace obol::inline v0::redis {

/// Keeps CLIENT TRACKING on, in broadcasting mode, for the keys that begin with a prefix; dials again where the
/// connection is lost. In a forked child it does nothing.
/// Source: https://redis.io/docs/latest/commands/client-tracking/
class Tracking {
 public:
  /// Told from Tracking's thread (the first time from start's); must not throw.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_listening() noexcept = 0;                   ///< From now on every change is told.
    virtual void on_change(std::string_view key) noexcept = 0;  ///< A key was written, deleted, or has expired.
    virtual void on_flush() noexcept = 0;                       ///< All keys may have changed.
    /// All changes up to then have been told, and the server was a primary.
    virtual void on_alive(Deadline::Time::time_point then) noexcept = 0;
    virtual void on_lost(std::string_view reason) noexcept = 0;
    virtual void on_fork() noexcept = 0;  ///< In a forked child: nothing will be told here. No lock may be taken.
  };

  struct Settings {
    std::string prefix;
    std::chrono::milliseconds connect_timeout;
    std::chrono::milliseconds question_interval;  ///< Between signs of life.
    std::chrono::milliseconds patience;           ///< For a sign of life, before the connection counts as lost.
  };

  /// `source` and `listener` must outlive it.
  Tracking(ConnectionSource& source, Listener& listener, Settings settings);
  ~Tracking();
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  /// Makes the first connection, or says why not, and starts the thread.
  Result<void> start();

  /// Ends the thread: at once, or where it is dialing within the connect time-out.
  void stop();

 private:
  Result<Connection> subscribe();
  void run(Connection connection);
  std::string listen(Connection& connection);
  Result<void> ask_for_life(Connection& connection);
  void take_push(const Reply& push);
  bool set_descriptor(int descriptor);
  bool pause(std::chrono::microseconds time);

  ConnectionSource& source_;
  Listener& listener_;
  const Settings settings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  int descriptor_ = -1;  ///< Shut down to wake the thread.
  std::unique_ptr<std::thread> thread_;
  ForkRegistration fork_registration_;
};

}  // namespace obol::inline v0::redis
