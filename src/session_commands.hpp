// Each store operation as two pure functions: arguments to command, reply to result.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/session.hpp"
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
redis::Command delete_one_command(std::string_view stored_key, std::string_view id);
redis::Command delete_all_command(std::string_view stored_key);
redis::Command delete_others_command(std::string_view stored_key, std::string_view kept_id);

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

struct UpdateResult {
  enum class Outcome { stored, conflict, gone };
  Outcome outcome;
  std::string sealed;  ///< On conflict: what is stored.
};
Result<UpdateResult> update_result(redis::Reply reply);

/// Nothing but a number answers a delete.
Result<void> delete_result(const redis::Reply& reply);

}  // namespace obol::inline v0
