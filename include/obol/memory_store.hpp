// Sessions in the memory of this process, for tests, demos and programs without a server.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "obol/clock.hpp"
#include "obol/export.hpp"
#include "obol/observer.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_policy.hpp"
#include "obol/session_store.hpp"

namespace obol { inline namespace v0 {

/// Options of a MemoryStore; all have usable defaults.
struct MemoryStoreOptions {
  std::size_t max_payload_bytes = default_max_payload_bytes;  ///< Longest Session::extra_payload.
  /// How many sessions a user may have, and whether "log out everywhere" stops logins in progress.
  SessionPolicy policy{};
  std::shared_ptr<Observer> observer{};  ///< May be null.
  Clock clock = system_clock();          ///< Decides whether a session has expired; tests can replace it.
};

/// Gives every guarantee of SessionStore within one process. All sessions are lost with the store. Thread-safe. Expired
/// sessions are removed by later writes.
class OBOL_EXPORT MemoryStore final : public SessionStore {
 public:
  /// Creates an empty store.
  explicit MemoryStore(MemoryStoreOptions options = {});
  ~MemoryStore() override;

  [[nodiscard]] Result<std::optional<Session>> get(const SessionKey& key) override;
  [[nodiscard]] Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override;
  [[nodiscard]] std::expected<Upserted, UpsertError> upsert(Session& session) override;
  [[nodiscard]] std::expected<void, UpsertError> rotate_id(Session& session) override;
  [[nodiscard]] Result<Deleted> delete_one(const SessionKey& key) override;
  [[nodiscard]] Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override;
  using SessionStore::delete_all;
  [[nodiscard]] Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override;
  [[nodiscard]] Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override;
  [[nodiscard]] Result<Deleted> delete_others(const SessionKey& keep) override;

 private:
  friend class WatchedMemory;
  class Implementation;
  const std::unique_ptr<Implementation> implementation_;
};

}}  // namespace obol::v0
