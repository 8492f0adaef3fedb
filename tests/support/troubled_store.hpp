// A store around another one, which fails if it is told to, and counts writes.
#pragma once

#include <atomic>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/session_store.hpp"

namespace obol::testing {

class TroubledStore final : public SessionStore {
 public:
  explicit TroubledStore(SessionStore& store) : store_(store) {}

  Result<std::optional<Session>> get(const SessionKey& key) override {
    if (is_unavailable) return unavailable();
    return store_.get(key);
  }
  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    ++writes;
    return store_.upsert(session);
  }
  std::expected<void, UpsertError> rotate_id(Session& session) override {
    ++writes;
    return store_.rotate_id(session);
  }
  Result<Deleted> delete_one(const SessionKey& key) override { return store_.delete_one(key); }
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    return store_.get_all(user_id, type);
  }
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    return store_.delete_all(user_id, type);
  }
  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override {
    return store_.delete_all(user_id, types);
  }
  Result<Deleted> delete_others(const SessionKey& keep) override {
    if (fails_to_delete_others) return unavailable();
    return store_.delete_others(keep);
  }

  std::atomic<int> writes = 0;
  std::atomic<bool> is_unavailable = false;  ///< For reads.
  std::atomic<bool> fails_to_delete_others = false;

 private:
  static std::unexpected<Error> unavailable() { return std::unexpected(Error{ErrorCode::unavailable, "no server"}); }
  SessionStore& store_;
};

}  // namespace obol::testing
