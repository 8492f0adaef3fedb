// Event streams of logged-in browsers: each tells that its session has ended.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <expected>
#include <mutex>
#include <semaphore>
#include <string_view>

#include "accounts.hpp"
#include "httplib.h"
#include "obol/session_watch.hpp"

namespace example::auth_server {

/// Thread-safe. Must outlive the server.
class EventStreams {
 public:
  /// Each stream holds a thread of the server. Half of the threads are left for other requests.
  static constexpr std::ptrdiff_t most_at_once = 32;

  explicit EventStreams(obol::SessionWatch watch) : watch_(std::move(watch)) {}

  /// Turns the answer into a stream that stays open until the session has ended, the browser has gone or the server
  /// stops. Refused if there are too many streams, or the session cannot be watched.
  std::expected<void, Refusal> open(const obol::SessionKey& key, httplib::Response& response);

  /// Turns the answer into a stream that says that there is no session (any more).
  static void tell_end(httplib::Response& response);

 private:
  class Stream;

  obol::SessionWatch watch_;
  std::counting_semaphore<most_at_once> places_{most_at_once};
  std::mutex mutex_;
  std::condition_variable ended_;
};

}  // namespace example::auth_server
