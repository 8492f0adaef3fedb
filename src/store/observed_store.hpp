// The calls of a store: admits them until it is closed, checks their arguments, and tells the observer what happened.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/admission.hpp"
#include "obol/clock.hpp"
#include "obol/observer.hpp"
#include "obol/session_id.hpp"
#include "obol/session_store.hpp"
#include "store/store_core.hpp"
#include "store/tell.hpp"
#include "values/closed_error.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. The owner of the core closes this and waits for the calls inside before it destroys either.
class [[gnu::visibility("hidden")]] ObservedStore final : public SessionStore {
 public:
  struct Settings {
    std::shared_ptr<Observer> observer;  ///< May be null.
    std::size_t max_payload_bytes;
    Clock clock;
  };

  ObservedStore(StoreCore& core, Settings settings) : core_(core), settings_(std::move(settings)) {}

  Result<std::optional<Session>> get(const SessionKey& key) override;
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  std::expected<Upserted, UpsertError> upsert(Session& session) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  /// Runs the work, which gives an expected, and tells the observer of it: as `found_near` if that is set once the work
  /// is done. `closed` after close().
  template <class Work>
  std::invoke_result_t<const Work&> call(Operation operation, const Work& work, const bool& found_near = false) {
    std::shared_ptr<Observer> observer;
    {
      const Admission::Visit visit(*admission_);
      if (visit.is_admitted()) {
        return settings_.observer ? observed(*settings_.observer, operation, work, found_near) : work();
      }
      // Told when the caller has left: those that go on calling a closed store must not keep its destructor waiting.
      observer = settings_.observer;
    }
    return observer ? observed(*observer, operation, refuse<Work>) : refuse<Work>();
  }

  /// The same for work that no observer is told of.
  template <class Work>
  std::invoke_result_t<const Work&> call(const Work& work) {
    const Admission::Visit visit(*admission_);
    return visit.is_admitted() ? work() : refuse<Work>();
  }

  /// Runs what may also be done to a closed store.
  template <class Work>
  std::invoke_result_t<const Work&> visit(const Work& work) {
    const Admission::Visit visit(*admission_);
    return work();
  }

  template <class Member, class Make>
  void tell(Member member, Make make) const {
    v0::tell(settings_.observer.get(), member, make);
  }

  bool is_observed() const { return settings_.observer != nullptr; }

  /// Calls that are inside keep it open; it outlives this.
  const std::shared_ptr<Admission>& admission() const { return admission_; }

 private:
  template <class Work>
  static std::invoke_result_t<const Work&> refuse() {
    using Outcome = std::invoke_result_t<const Work&>;
    return Outcome(std::unexpect, typename Outcome::error_type{closed_error()});
  }

  template <class Outcome>
  static CallOutcome outcome_of(const Outcome&) {
    return CallOutcome::done;
  }
  static CallOutcome outcome_of(const Result<std::optional<Session>>& session) {
    return *session ? CallOutcome::found : CallOutcome::absent;
  }

  template <class Work>
  static auto observed(Observer& observer, Operation operation, const Work& work, const bool& found_near = false) {
    const auto begun = std::chrono::steady_clock::now();
    auto result = work();
    CallEvent event{.operation = operation, .duration = std::chrono::steady_clock::now() - begun};
    if (!result) {
      event.outcome = CallOutcome::failed;
      event.error = static_cast<ErrorCode>(result.error().code.value());
    } else {
      event.outcome = found_near ? CallOutcome::found_near : outcome_of(result);
    }
    observer.on_call(event);
    return result;
  }

  static SessionEvent event_of(const std::string& id, std::string_view type, std::uint64_t lock_version) {
    return {.id_hash = session_id_hash(id), .type = type, .lock_version = lock_version};
  }
  void tell_evicted(const Session& session, std::span<const std::string> evicted) const;
  void tell_lost(const Session& session, const UpsertError& error) const;

  StoreCore& core_;
  const Settings settings_;
  const std::shared_ptr<Admission> admission_ = std::make_shared<Admission>();
};

}}  // namespace obol::v0
