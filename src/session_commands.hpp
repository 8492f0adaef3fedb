// Each store operation as two pure functions: arguments to command, reply to result.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/redis_options.hpp"
#include "obol/session.hpp"
#include "obol/session_store.hpp"
#include "redis/command.hpp"
#include "redis/function_library.hpp"
#include "redis/reply.hpp"

namespace obol::inline v0 {

/// The functions compiled into this build.
redis::FunctionLibrary session_functions();

/// `<prefix>{<user id>}:<type>`: the hash that holds the sessions of one user and type.
std::string stored_key(std::string_view prefix, std::string_view user_id, std::string_view type);

redis::Command get_command(std::string_view stored_key, std::string_view id);
redis::Command get_all_command(std::string_view stored_key);
redis::Command create_command(std::string_view stored_key, const Session& session, std::string_view sealed);
redis::Command update_command(std::string_view stored_key, const Session& session, std::string_view sealed);

/// A create that looks after the policy, too.
redis::Command managed_create_command(std::string_view stored_key, const Session& session, std::string_view sealed,
                                      const SessionPolicy& policy);

/// `session` and `sealed` as they shall be stored, under the new id.
redis::Command rotate_command(std::string_view stored_key, std::string_view old_id, const Session& session,
                              std::string_view sealed);

redis::Command delete_one_command(std::string_view stored_key, std::string_view id);
redis::Command delete_all_command(std::string_view stored_key);
redis::Command delete_others_command(std::string_view stored_key, std::string_view kept_id);

/// delete_all that leaves a revocation mark.
redis::Command revoke_all_command(std::string_view stored_key, std::chrono::sys_seconds now,
                                  std::chrono::seconds lifetime);

/// Sent between a delete and a WAIT, so that the WAIT counts also where the delete itself found nothing.
redis::Command barrier_command(std::string_view stored_key);
redis::Command wait_command(const DeleteDurability& durability);

/// An update that finds nothing and changes nothing: shows that the functions are there and may be called.
redis::Command probe_command(std::string_view prefix);

/// The sealed session, or nothing where none is stored. `protocol` for a reply of another kind.
Result<std::optional<std::string>> get_result(redis::Reply reply);

struct StoredField {
  std::string id;
  std::string sealed;
};
Result<std::vector<StoredField>> get_all_result(redis::Reply reply);

/// True: stored; false: one with that id stands.
Result<bool> create_result(const redis::Reply& reply);

struct CreateResult {
  enum class Outcome { stored, conflict, revoked, full };
  Outcome outcome = Outcome::stored;
  std::string sealed{};                ///< On conflict: what is stored.
  std::vector<std::string> evicted{};  ///< Ids.
};
Result<CreateResult> managed_create_result(redis::Reply reply);

/// Of an update or a rotation.
struct UpdateResult {
  enum class Outcome { stored, conflict, gone };
  Outcome outcome;
  std::string sealed;  ///< On conflict: what is stored.
};
Result<UpdateResult> update_result(redis::Reply reply);

/// Of a delete alone, or followed by a barrier and a WAIT.
Result<Deleted> delete_result(const std::vector<redis::Reply>& replies);

}  // namespace obol::inline v0
