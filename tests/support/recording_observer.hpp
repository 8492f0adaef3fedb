// An observer that keeps every event as a line of text, to be counted and searched.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "obol/fork_safe_mutex.hpp"
#include "obol/observer.hpp"

namespace obol::testing {

/// Thread-safe. A line is the event's name and all that the event carries.
class RecordingObserver final : public Observer {
 public:
  std::vector<std::string> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }

  /// How many lines begin with this.
  std::size_t count(std::string_view beginning) const {
    const auto all = lines();
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const std::string& line) { return line.starts_with(beginning); }));
  }

  bool holds(std::string_view text) const {
    const auto all = lines();
    return std::ranges::any_of(all, [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

  void on_call(const CallEvent& event) noexcept override {
    add("call", {to_string(event.operation), to_string(event.outcome)});
  }
  void on_created(const SessionEvent& event) noexcept override { add("created", event); }
  void on_refreshed(const SessionEvent& event) noexcept override { add("refreshed", event); }
  void on_id_rotated(const SessionEvent& event) noexcept override { add("id_rotated", event); }
  void on_evicted(const SessionEvent& event) noexcept override { add("evicted", event); }
  void on_refused(const RefusedEvent& event) noexcept override {
    add("refused", {event.id_hash, event.type, make_error_code(event.reason).message()});
  }
  void on_finding(const Finding& finding) noexcept override {
    add("finding", {to_string(finding.severity), finding.topic, finding.message});
  }
  void on_deleted(const SessionEvent& event) noexcept override { add("deleted", event); }
  void on_deleted_all(const DeletedAllEvent& event) noexcept override {
    add(event.kept_one ? "deleted_others" : "deleted_all", {event.type});
  }
  void on_conflict(const SessionEvent& event) noexcept override { add("conflict", event); }
  void on_gone(const SessionEvent& event) noexcept override { add("gone", event); }
  void on_verification_failed(const VerificationFailedEvent& event) noexcept override {
    add("verification_failed",
        {std::to_string(static_cast<int>(event.reason)), event.id_hash, event.type, event.key_id});
  }
  void on_token_reused(const TokenReusedEvent& event) noexcept override {
    add("token_reused", {event.user_id, event.id_hash, event.type, event.session_ended ? "ended" : "lives"});
  }
  void on_functions_loaded(const FunctionsLoadedEvent& event) noexcept override {
    add("functions_loaded", {event.library});
  }
  void on_near_cache_changed(const NearCacheEvent& event) noexcept override {
    add(event.is_in_use ? "near_cache_in_use" : "near_cache_out_of_use", {event.reason});
  }
  void on_connection_opened(const ConnectionEvent& event) noexcept override {
    add("connection_opened", {event.endpoint, event.server, event.reason});
  }
  void on_connection_closed(const ConnectionEvent& event) noexcept override {
    add("connection_closed", {event.endpoint, event.server, event.reason});
  }

 private:
  void add(std::string_view name, const SessionEvent& event) {
    add(name, {event.id_hash, event.type, std::to_string(event.lock_version)});
  }
  void add(std::string_view name, std::initializer_list<std::string_view> parts) {
    std::string line(name);
    for (const auto part : parts) line.append(" ").append(part);
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }

  mutable ForkSafeMutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace obol::testing
