// What a store does itself: ObservedStore checks the arguments before, and tells the observer afterwards.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

/// The functions of SessionStore for arguments that are valid. Thread-safe.
class StoreCore {
 public:
  StoreCore() = default;
  StoreCore(const StoreCore&) = delete;
  StoreCore& operator=(const StoreCore&) = delete;
  virtual ~StoreCore() = default;

  /// Sets `found_near` if the session came from the near cache.
  virtual Result<std::optional<Session>> get(const SessionKey& key, bool& found_near) = 0;
  virtual Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) = 0;
  /// Adds the ids of the sessions that were evicted, also if the call fails after that.
  virtual std::expected<void, UpsertError> upsert(Session& session, std::vector<std::string>& evicted) = 0;
  /// Of a session that was stored before.
  virtual std::expected<void, UpsertError> rotate_id(Session& session) = 0;
  virtual Result<Deleted> delete_one(const SessionKey& key) = 0;
  virtual Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) = 0;
  virtual Result<Deleted> delete_all(std::string_view user_id, std::string_view type) = 0;
  virtual Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) = 0;
  virtual Result<Deleted> delete_others(const SessionKey& keep) = 0;
};

}}  // namespace obol::v0
