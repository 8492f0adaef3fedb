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

namespace auth_server {

class TroubledStore final : public obol::SessionStore {
 public:
  explicit TroubledStore(obol::SessionStore& store) : store_(store) {}

  obol::Result<std::optional<obol::Session>> get(const obol::SessionKey& key) override {
    if (is_unavailable) return unavailable();
    return store_.get(key);
  }
  std::expected<obol::Upserted, obol::UpsertError> upsert(obol::Session& session) override {
    ++writes;
    return store_.upsert(session);
  }
  std::expected<void, obol::UpsertError> rotate_id(obol::Session& session) override {
    ++writes;
    return store_.rotate_id(session);
  }
  obol::Result<obol::Deleted> delete_one(const obol::SessionKey& key) override { return store_.delete_one(key); }
  obol::Result<std::vector<obol::Session>> get_all(std::string_view user_id, std::string_view type) override {
    return store_.get_all(user_id, type);
  }
  obol::Result<obol::Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    return store_.delete_all(user_id, type);
  }
  obol::Result<obol::Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override {
    return store_.delete_all(user_id, types);
  }
  obol::Result<obol::Deleted> delete_others(const obol::SessionKey& keep) override {
    if (fails_to_delete_others) return unavailable();
    return store_.delete_others(keep);
  }

  std::atomic<int> writes = 0;
  std::atomic<bool> is_unavailable = false;  ///< For reads.
  std::atomic<bool> fails_to_delete_others = false;

 private:
  static std::unexpected<obol::Error> unavailable() {
    return std::unexpected(obol::Error{obol::ErrorCode::unavailable, "no server"});
  }
  obol::SessionStore& store_;
};

}  // namespace auth_server
