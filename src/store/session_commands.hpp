// Each store operation as two pure functions: arguments to command, reply to result.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/small_bytes.hpp"
#include "obol/redis_store_options.hpp"
#include "obol/session.hpp"
#include "obol/session_store.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/function_library.hpp"
#include "redis/protocol/reply.hpp"
#include "store/revocation_mark.hpp"

namespace obol { inline namespace v0 {

/// The functions compiled into this build.
redis::FunctionLibrary session_functions();

/// `<prefix>{<user id>}:<type>`: the hash that holds the sessions of one user and type.
std::string stored_key(std::string_view prefix, std::string_view user_id, std::string_view type);

/// The same without memory of its own, unless it is long.
using StoredKey = SmallBytes<104>;
StoredKey make_stored_key(std::string_view prefix, std::string_view user_id, std::string_view type);

/// What the key of a user's revocation mark has behind the hash's. A type holds no '/', so it is nobody's sessions.
inline constexpr std::string_view mark_suffix = "/revoked";
/// Nothing is ever stored under a key with this suffix.
inline constexpr std::string_view absent_suffix = "/absent";
std::string mark_key(std::string_view stored_key);

/// When the field that holds a session expires.
using FieldExpiry = std::chrono::sys_time<std::chrono::milliseconds>;
FieldExpiry field_expiry(const Session& session);

/// A session as a write stores it.
struct SealedSession {
  std::string_view id;
  std::uint64_t lock_version;  ///< Of this write; it replaces the one before.
  FieldExpiry expiry;
  std::string_view sealed;
};

redis::Command get_command(std::string_view stored_key, std::string_view id);
redis::Command get_all_command(std::string_view stored_key);
redis::Command create_command(std::string_view stored_key, const SealedSession& session);

/// `checks_clock`: is refused where the server's clock has reached the session's expiry.
redis::Command update_command(std::string_view stored_key, const SealedSession& session, bool checks_clock);

/// How a create counts the user's sessions.
enum class Counting {
  unless_crowded,  ///< Not if there are far more than the policy allows, since that would hold up the server.
  always,
};

/// A create that looks after the policy, too.
redis::Command managed_create_command(std::string_view stored_key, const SealedSession& session,
                                      std::chrono::sys_seconds created_at, const SessionPolicy& policy,
                                      Counting counting, bool checks_clock);

/// A session and when its field expires, in Unix milliseconds.
struct ExpiringId {
  std::int64_t expires_at;
  std::string id;
  auto operator<=>(const ExpiringId&) const = default;
};

/// Evicts those sessions, if they still expire then, and looks at some more from `cursor` on ("0": from the first;
/// empty: at none).
redis::Command thin_out_command(std::string_view stored_key, std::string_view cursor,
                                std::span<const ExpiringId> evicted);

/// `session` as it shall be stored, under the new id. With a mark it leaves that, too.
redis::Command rotate_command(std::string_view stored_key, std::string_view old_id, const SealedSession& session,
                              const std::optional<RevocationMark>& mark, bool checks_clock);

/// Replaces exactly the bytes `standing`, whatever their lock version.
redis::Command exchange_command(std::string_view stored_key, std::string_view id, std::string_view standing,
                                std::string_view sealed, FieldExpiry expiry);

/// Asks how long each session has left, by the server's clock.
redis::Command lifetimes_command(std::string_view stored_key, std::span<const std::string> ids);

redis::Command delete_one_command(std::string_view stored_key, std::string_view id);
/// With a mark it leaves that, too.
redis::Command delete_all_command(std::string_view stored_key,
                                  const std::optional<RevocationMark>& mark = std::nullopt);
redis::Command delete_others_command(std::string_view stored_key, std::string_view kept_id,
                                     const std::optional<RevocationMark>& mark = std::nullopt);

/// Sent between a delete and a WAIT, so that the WAIT counts also where the delete itself found nothing.
redis::Command barrier_command(std::string_view stored_key);
redis::Command wait_command(const DeleteDurability& durability);

/// A key that nothing is stored under, also with a number behind it.
std::string probe_key(std::string_view prefix);

/// An update that finds nothing and changes nothing: shows that the functions are there and may be called.
redis::Command probe_command(std::string_view probe_key);

// What replies say, as views into them. `protocol` for a reply of another kind.

/// The sealed session, or nothing where none is stored.
Result<std::optional<std::string_view>> get_result(const redis::Reply& reply);

/// For each session the milliseconds that it has left; -1: it does not expire, -2: it is not stored.
Result<std::vector<std::int64_t>> lifetimes_result(const redis::Reply& reply);

struct StoredField {
  std::string_view id;
  std::string_view sealed;
};
Result<std::vector<StoredField>> get_all_result(const redis::Reply& reply);

/// The reply is of another kind than its command's.
std::unexpected<Error> unexpected_reply();

/// True: stored; false: one with that id stands.
Result<bool> create_result(const redis::Reply& reply);

struct CreateResult {
  enum class Outcome { stored, conflict, revoked, expired, full, crowded };
  Outcome outcome = Outcome::stored;
  std::string_view sealed{};           ///< On conflict: what is stored.
  std::vector<std::string> evicted{};  ///< Ids.
};
Result<CreateResult> managed_create_result(const redis::Reply& reply);

struct ThinnedOut {
  std::string cursor{};                ///< Where to go on; "0": all were looked at.
  std::vector<std::string> evicted{};  ///< Ids.
  std::vector<ExpiringId> seen{};
};
Result<ThinnedOut> thin_out_result(const redis::Reply& reply);

/// Of an update or a rotation.
struct UpdateResult {
  enum class Outcome { stored, conflict, gone, expired };
  Outcome outcome;
  std::string_view sealed;  ///< On conflict: what is stored.
};
Result<UpdateResult> update_result(const redis::Reply& reply);

enum class Exchange {
  replaced,  ///< Or the new bytes stood already.
  changed,   ///< Others stand.
  gone,
  expired,  ///< By the server's clock.
};
Result<Exchange> exchange_result(const redis::Reply& reply);

/// Of so many deletes alone, or followed by a barrier and a WAIT.
Result<Deleted> delete_result(std::span<const redis::Reply> replies, std::size_t deletes = 1);

}}  // namespace obol::v0
