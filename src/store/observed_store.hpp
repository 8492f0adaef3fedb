// The calls of a store: admits them until it is closed, checks their arguments, and tells the observer what happened.
#pragma once

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
#include "obol/session_store.hpp"
#include "store/call_reports.hpp"
#include "store/store_core.hpp"
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

  ObservedStore(StoreCore& core, Settings settings)
      : core_(core), settings_(std::move(settings)), reports_(settings_.observer) {}

  Result<std::optional<Session>> get(const SessionKey& key) override;
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  std::expected<Upserted, UpsertError> upsert(Session& session) override;
  std::expected<void, UpsertError> rotate_id(Session& session) override;
  Result<Deleted> delete_one(const SessionKey& key) override;
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  using SessionStore::delete_all;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override;
  Result<Deleted> delete_others(const SessionKey& keep) override;

  /// Runs the work, which gives an expected, and tells the observer of it: as `found_near` if that is set once the work
  /// is done. `closed` after close().
  template <class Work>
  std::invoke_result_t<const Work&> call(Operation operation, const Work& work, const bool& found_near = false) {
    CallReports refused(nullptr);
    {
      const Admission::Visit visit(*admission_);
      if (visit.is_admitted()) {
        return reports_.has_observer() ? observed(reports_, operation, work, found_near) : work();
      }
      // Told when the caller has left: those that go on calling a closed store must not keep its destructor waiting.
      refused = reports_;
    }
    return observed(refused, operation, refuse<Work>);
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

  const CallReports& reports() const { return reports_; }

  /// Calls that are inside keep it open; it outlives this.
  const std::shared_ptr<Admission>& admission() const { return admission_; }

 private:
  template <class Work>
  static std::invoke_result_t<const Work&> refuse() {
    using Outcome = std::invoke_result_t<const Work&>;
    return Outcome(std::unexpect, typename Outcome::error_type{closed_error()});
  }

  template <class Work>
  static auto observed(const CallReports& reports, Operation operation, const Work& work,
                       const bool& found_near = false) {
    const auto begun = CallReports::Time::now();
    auto result = work();
    reports.ended(operation, begun, result, found_near);
    return result;
  }

  StoreCore& core_;
  const Settings settings_;
  const CallReports reports_;
  const std::shared_ptr<Admission> admission_ = std::make_shared<Admission>();
};

}}  // namespace obol::v0
