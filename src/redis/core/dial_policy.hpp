// When a pool may open a connection, and how long it waits for a server that cannot be reached.
#pragma once

#include <cstddef>
#include <optional>

#include "obol/error.hpp"
#include "redis/core/backoff.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/verdict.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// One connection is opened at a time. An outage begins with the first attempt that fails and ends with the first that
/// succeeds; meanwhile attempts are made with growing pauses between them. `others` are the connections that exist
/// beside the one that is opened. Not thread-safe. Nothing here throws.
class DialPolicy {
 public:
  using TimePoint = Deadline::Time::time_point;

  /// An outage of `patience` and more is not waited out.
  explicit DialPolicy(Deadline::Time::duration patience) : patience_(patience) {}

  bool is_dialing() const { return is_dialing_; }
  bool may_dial(TimePoint now) const { return !is_dialing_ && (!outage_ || now >= outage_->next_attempt); }

  /// An attempt begins; then succeed() or fail() is due.
  void begin(std::size_t others) {
    is_dialing_ = true;
    began_beside_others_ = others > 0;
  }

  void succeed() {
    is_dialing_ = false;
    outage_.reset();
  }

  /// True if the caller that made the attempt should wait for the next one, or for one of the others.
  bool fail(const Error& error, std::size_t others, TimePoint now) {
    is_dialing_ = false;
    if (is_out_of_memory(error)) return false;
    const bool is_refused = !is_transient(error);
    // Those that served beside it were lost meanwhile, perhaps by the very change that makes the next attempt succeed.
    if (is_refused && others == 0 && began_beside_others_) {
      outage_.reset();
      return true;
    }
    if (!outage_) outage_.emplace(Outage{.since = now, .next_attempt = now, .backoff = {}, .error = {}});
    outage_->error = copy_of(error);
    outage_->next_attempt = now + outage_->backoff.next();
    return !is_refused || others > 0;
  }

  /// The last connection was lost. What kept others from being opened beside it says little about now.
  void lose_last() {
    if (outage_ && !is_transient(outage_->error)) outage_.reset();
  }

  /// True if callers need not wait: there is no other connection, and the server refuses us or has been away for long.
  bool is_hopeless(std::size_t others, TimePoint now) const {
    return others == 0 && outage_ && (!is_transient(outage_->error) || now - outage_->since >= patience_);
  }

  bool is_out() const { return outage_.has_value(); }

  /// During an outage only.
  TimePoint next_attempt() const { return outage_->next_attempt; }
  const Error& error() const { return outage_->error; }

  /// In a forked child.
  void forget_parent() { succeed(); }

 private:
  struct Outage {
    TimePoint since;
    TimePoint next_attempt;
    Backoff backoff;
    Error error;  ///< Of the last attempt.
  };

  Deadline::Time::duration patience_;
  bool is_dialing_ = false;
  bool began_beside_others_ = false;
  std::optional<Outage> outage_;
};

}}}  // namespace obol::v0::redis
