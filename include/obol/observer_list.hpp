// Several observers as one.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "obol/export.hpp"
#include "obol/observer.hpp"

namespace obol { inline namespace v0 {

/// Passes each event to all its observers, in order. Null pointers are ignored.
class OBOL_EXPORT ObserverList final : public Observer {
 public:
  /// Shares ownership of the observers.
  explicit ObserverList(std::vector<std::shared_ptr<Observer>> observers) : observers_(std::move(observers)) {
    std::erase(observers_, nullptr);
  }

  void on_call(const CallEvent& event) noexcept override { tell(&Observer::on_call, event); }
  void on_created(const SessionEvent& event) noexcept override { tell(&Observer::on_created, event); }
  void on_refreshed(const SessionEvent& event) noexcept override { tell(&Observer::on_refreshed, event); }
  void on_id_rotated(const SessionEvent& event) noexcept override { tell(&Observer::on_id_rotated, event); }
  void on_evicted(const SessionEvent& event) noexcept override { tell(&Observer::on_evicted, event); }
  void on_refused(const RefusedEvent& event) noexcept override { tell(&Observer::on_refused, event); }
  void on_deleted(const SessionEvent& event) noexcept override { tell(&Observer::on_deleted, event); }
  void on_deleted_all(const DeletedAllEvent& event) noexcept override { tell(&Observer::on_deleted_all, event); }
  void on_conflict(const SessionEvent& event) noexcept override { tell(&Observer::on_conflict, event); }
  void on_gone(const SessionEvent& event) noexcept override { tell(&Observer::on_gone, event); }
  void on_verification_failed(const VerificationFailedEvent& event) noexcept override {
    tell(&Observer::on_verification_failed, event);
  }
  void on_token_reused(const TokenReusedEvent& event) noexcept override { tell(&Observer::on_token_reused, event); }
  void on_finding(const Finding& finding) noexcept override { tell(&Observer::on_finding, finding); }
  void on_functions_loaded(const FunctionsLoadedEvent& event) noexcept override {
    tell(&Observer::on_functions_loaded, event);
  }
  void on_near_cache_changed(const NearCacheEvent& event) noexcept override {
    tell(&Observer::on_near_cache_changed, event);
  }
  void on_connection_opened(const ConnectionEvent& event) noexcept override {
    tell(&Observer::on_connection_opened, event);
  }
  void on_connection_closed(const ConnectionEvent& event) noexcept override {
    tell(&Observer::on_connection_closed, event);
  }

 private:
  template <class Event>
  void tell(void (Observer::*member)(const Event&) noexcept, const Event& event) const noexcept {
    for (const auto& observer : observers_) (observer.get()->*member)(event);
  }

  std::vector<std::shared_ptr<Observer>> observers_;
};

}}  // namespace obol::v0
