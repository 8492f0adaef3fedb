// Since when no connection can be opened, and when the next attempt is due.
#pragma once

#include <optional>

#include "obol/error.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/core/backoff.hpp"
#include "redis/core/deadline.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Begins with the first attempt that fails and ends with the first that succeeds. Not thread-safe.
class Outage {
 public:
  using TimePoint = Deadline::Time::time_point;

  /// An outage of `patience` and more is not waited out.
  explicit Outage(Deadline::Time::duration patience) : patience_(patience) {}

  void note_failure(const Error& error, TimePoint now) {
    if (!current_) current_.emplace(Current{.since = now, .next_attempt = now, .backoff = {}, .error = {}});
    current_->error = copy_of(error);
    current_->is_transient = is_transient(error);
    current_->next_attempt = now + current_->backoff.next();
  }
  void end() { current_.reset(); }

  bool is_on() const { return current_.has_value(); }
  /// False without an outage.
  bool is_lasting() const { return is_on() && !current_->is_transient; }
  bool is_hopeless(TimePoint now) const {
    return is_on() && (!current_->is_transient || now - current_->since >= patience_);
  }
  bool may_dial(TimePoint now) const { return !is_on() || now >= current_->next_attempt; }

  /// During an outage only.
  TimePoint next_attempt() const { return current_->next_attempt; }
  const Error& error() const { return current_->error; }

 private:
  struct Current {
    TimePoint since;
    TimePoint next_attempt;
    Backoff backoff;
    Error error;  ///< Of the last attempt.
    bool is_transient = true;
  };

  Deadline::Time::duration patience_;
  std::optional<Current> current_;
};

}}}  // namespace obol::v0::redis
