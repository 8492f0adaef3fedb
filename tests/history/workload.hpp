// Many threads that make random calls on few users and sessions, and write down what they were told.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "history/history.hpp"
#include "obol/clock.hpp"
#include "obol/session_store.hpp"

namespace obol::testing::history {

struct WorkloadOptions {
  std::size_t calls = 200'000;
  std::size_t threads = 16;
  std::uint64_t seed = 1;
  std::chrono::microseconds pause{0};  ///< Of each thread after each call.
  std::size_t replicas = 1;            ///< So many must have a delete for it to count as confirmed.
  Clock clock = system_clock();        ///< By which sessions are given their end.
  bool is_patient = true;              ///< If not, a time-out comes of a limit that the caller has set.
};

/// A store on which calls are made.
struct Place {
  SessionStore* store = nullptr;
  bool is_async = false;
};

class Workload {
 public:
  explicit Workload(const WorkloadOptions& options);

  /// Makes the calls, the threads in turn on one of the stores. The seed fixes each thread's random choices; how the
  /// threads interleave is left to chance.
  void run(std::span<const Place> places);

  /// Ends `run` before it has made all calls. To be called from any thread.
  void stop() { is_stopped_ = true; }

  /// Whom the calls concern now.
  std::vector<std::string> users_now() const;

  /// Reads everything that was ever stored, once nothing else goes on: what this finds is the final state.
  void read_everything(SessionStore& store);

  const std::vector<Call>& history() const { return history_; }

 private:
  static constexpr std::size_t slots_per_user = 4;

  /// What the callers know of a user: sessions as last seen, and every one there ever was.
  struct User {
    std::string id;
    std::mutex mutex;
    std::array<std::optional<Session>, slots_per_user> slots;
    std::vector<std::uint32_t> sessions;
  };

  class Caller;

  const WorkloadOptions options_;
  std::vector<User> users_;
  std::atomic<std::uint32_t> next_session_ = 1;
  std::atomic<std::size_t> calls_begun_ = 0;
  std::atomic<bool> is_stopped_ = false;
  std::vector<Call> history_;
};

}  // namespace obol::testing::history
