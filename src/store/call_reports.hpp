// What an observer is told of a store's calls: what happened to sessions, and how each call ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "obol/observer.hpp"
#include "obol/session_store.hpp"
#include "store/tell.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. Each function is told the arguments of a call and its outcome.
class CallReports {
 public:
  using Time = std::chrono::steady_clock;

  /// `observer` may be null.
  explicit CallReports(std::shared_ptr<Observer> observer) : observer_(std::move(observer)) {}

  bool has_observer() const { return observer_ != nullptr; }

  /// `session`: as it is after the call.
  void upserted(Operation operation, const Session& session, std::span<const std::string> evicted,
                const std::expected<void, UpsertError>& outcome) const;
  void rotated_id(const Session& session, const std::expected<void, UpsertError>& outcome) const;
  void deleted_one(const SessionKey& key, const Result<Deleted>& outcome) const;
  void deleted_all(std::string_view type, const Result<Deleted>& outcome) const;
  void deleted_all(std::span<const std::string> types, const Result<Deleted>& outcome) const;
  void deleted_others(const SessionKey& kept, const Result<Deleted>& outcome) const;

  /// The last report of a call.
  template <class Outcome>
  void ended(Operation operation, Time::time_point begun, const Outcome& outcome, bool found_near = false) const {
    if (!observer_) return;
    CallEvent event{.operation = operation, .duration = Time::now() - begun};
    if (!outcome) {
      event.outcome = CallOutcome::failed;
      event.error = static_cast<ErrorCode>(outcome.error().code.value());
    } else {
      event.outcome = found_near ? CallOutcome::found_near : outcome_of(outcome);
    }
    observer_->on_call(event);
  }

  template <class Member, class Make>
  void tell(Member member, const Make& make) const {
    v0::tell(observer_.get(), member, make);
  }

 private:
  template <class Outcome>
  static CallOutcome outcome_of(const Outcome&) {
    return CallOutcome::done;
  }
  static CallOutcome outcome_of(const Result<std::optional<Session>>& session) {
    return *session ? CallOutcome::found : CallOutcome::absent;
  }

  void lost(const Session& session, const UpsertError& error) const;

  std::shared_ptr<Observer> observer_;
};

}}  // namespace obol::v0
