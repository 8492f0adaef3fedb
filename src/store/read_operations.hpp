// Operations that read sessions: one, many, or all of a user and type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "near_cache/near_cache.hpp"
#include "obol/session_store.hpp"
#include "redis/protocol/command.hpp"
#include "store/operation.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {

/// Which servers may answer a read. What a replica says is never kept, and does not touch the near cache.
enum class ReadFrom : std::uint8_t { primary, replica };

/// Keys, spans and outcomes given to these must outlive them. An outcome begins as an empty value.
class GetOperation {
 public:
  using Outcome = Result<std::optional<Session>>;
  static constexpr bool needs_keyring = true;

  GetOperation(const StoreContext& context, const SessionKey& key, ReadFrom from, Outcome& outcome);
  GetOperation(const GetOperation&) = delete;
  GetOperation& operator=(const GetOperation&) = delete;
  ~GetOperation() = default;

  /// True if the near cache has the session: that is the outcome then, and nothing has to be asked. Before begin(), and
  /// only if there is a near cache.
  bool find_near(Now now);

  std::optional<Request> begin();
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { outcome_ = std::unexpected(std::move(error)); }

 private:
  const RedisStoreOptions& options_;
  NearCache* const cache_;
  const SessionKey& key_;
  const ReadFrom from_;
  Outcome& outcome_;
  const StoredKey stored_key_;
  redis::Command command_{};
  std::optional<NearCache::Ticket> ticket_{};
};

class GetManyOperation {
 public:
  using Outcome = Result<std::vector<std::optional<Session>>>;
  static constexpr bool needs_keyring = true;
  static constexpr std::size_t most_keys_at_once = 1000;

  GetManyOperation(const StoreContext& context, std::span<const SessionKey> keys, Outcome& outcome)
      : options_(context.options), cache_(context.cache), keys_(keys), outcome_(outcome) {}
  GetManyOperation(const GetManyOperation&) = delete;
  GetManyOperation& operator=(const GetManyOperation&) = delete;
  ~GetManyOperation() = default;

  std::optional<Request> begin();
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { outcome_ = std::unexpected(std::move(error)); }

 private:
  std::optional<Request> ask_for_more();
  Result<void> take_one(std::size_t index, const Answer& answer);

  const RedisStoreOptions& options_;
  NearCache* const cache_;
  const std::span<const SessionKey> keys_;
  Outcome& outcome_;
  std::span<const SessionKey> asked_{};  ///< What the request asks for; these are of those.
  std::vector<std::string> stored_keys_{};
  std::vector<redis::Command> commands_{};
  std::vector<NearCache::Ticket> tickets_{};
};

/// Drops what the near cache has of these sessions: its caller has seen them all.
class GetAllOperation {
 public:
  using Outcome = Result<std::vector<Session>>;
  static constexpr bool needs_keyring = true;

  GetAllOperation(const StoreContext& context, std::string_view user_id, std::string_view type, ReadFrom from,
                  Outcome& outcome);
  GetAllOperation(const GetAllOperation&) = delete;
  GetAllOperation& operator=(const GetAllOperation&) = delete;
  ~GetAllOperation() = default;

  std::optional<Request> begin();
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { outcome_ = std::unexpected(std::move(error)); }

 private:
  const RedisStoreOptions& options_;
  const std::string_view user_id_;
  const std::string_view type_;
  const ReadFrom from_;
  Outcome& outcome_;
  const StoredKey stored_key_;
  const Invalidation invalidation_;
  redis::Command command_{};
};

}}  // namespace obol::v0
