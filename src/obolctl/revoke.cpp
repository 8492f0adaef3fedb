// obolctl revoke and revoke-all: log out one session, or all sessions of a user.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "obolctl/commands.hpp"
#include "obolctl/confirmation.hpp"
#include "obolctl/json.hpp"
#include "obolctl/stored_sessions.hpp"
#include "obolctl/text.hpp"

namespace obol::ctl {
namespace {

Result<RedisStoreOptions> options_for(const Context& context, const RevokeOptions& revoke) {
  auto options = read_options(context.common, context.environment);
  if (options) options->delete_durability = {.replicas = revoke.replicas, .timeout = options->timeouts.command / 2};
  return options;
}

/// As a store does it: in one send, with a WAIT behind it where replicas are to have it, too.
Result<Deleted> run(Primary& primary, std::vector<redis::Command> commands, const StoredKey& stored_key,
                    const DeleteDurability& durability) {
  const auto deletes = commands.size();
  if (durability.replicas > 0) {
    commands.push_back(barrier_command(stored_key.key));
    commands.push_back(wait_command(durability));
  }
  const auto replies = primary.call_all(commands);
  if (!replies) return std::unexpected(replies.error());
  return delete_result(*replies, deletes);
}

/// Parts of a user's keys, each held by one primary: all of them, unless the user id ends the hash tag at once.
std::vector<std::span<const StoredKey>> parts_of(const Server& server, std::span<const StoredKey> stored_keys) {
  std::vector<std::span<const StoredKey>> parts;
  while (!stored_keys.empty()) {
    const auto* const primary = &server.primary_of(stored_keys.front().key);
    const auto at_another = [&](const StoredKey& key) { return &server.primary_of(key.key) != primary; };
    const auto end =
        std::ranges::find_if(stored_keys.first(std::min(stored_keys.size(), max_types_per_call)), at_another);
    const auto size = static_cast<std::size_t>(end - stored_keys.begin());
    parts.push_back(stored_keys.first(size));
    stored_keys = stored_keys.subspan(size);
  }
  return parts;
}

/// How many live sessions a user has of each type.
Result<std::map<std::string, std::size_t>> count_sessions(const Server& server,
                                                          std::span<const StoredKey> stored_keys) {
  std::map<std::string, std::size_t> counts;
  for (const auto part : parts_of(server, stored_keys)) {
    std::vector<redis::Command> commands;
    for (const auto& stored_key : part) commands.push_back({"HKEYS", stored_key.key});
    const auto replies = server.primary_of(part.front().key).call_all(commands);
    if (!replies) return std::unexpected(replies.error());
    for (std::size_t i = 0; i < part.size(); ++i) counts[part[i].type] = (*replies)[i].elements.size();
  }
  return counts;
}

std::size_t total(const std::map<std::string, std::size_t>& counts) {
  std::size_t sum = 0;
  for (const auto& [type, count] : counts) sum += count;
  return sum;
}

std::string question(const std::string& user_id, const std::map<std::string, std::size_t>& counts) {
  std::string types;
  for (const auto& [type, count] : counts) types += fmt::format("{}{}: {}", types.empty() ? "" : ", ", type, count);
  return fmt::format("Log out {} everywhere, {} ({})?", escaped(user_id), counted(total(counts), "session"), types);
}

/// All sessions of one user. Gives how many replicas confirmed it.
Result<std::size_t> delete_all(const Server& server, std::span<const StoredKey> stored_keys,
                               const RedisStoreOptions& options, std::uint32_t mark_lifetime) {
  std::optional<RevocationMark> mark;
  if (mark_lifetime > 0) {
    mark = {.at = std::chrono::floor<std::chrono::seconds>(options.clock()),
            .lifetime = std::chrono::seconds(mark_lifetime)};
  }
  std::size_t confirmed = options.delete_durability.replicas;
  for (const auto part : parts_of(server, stored_keys)) {
    std::vector<redis::Command> commands;
    for (const auto& stored_key : part) commands.push_back(delete_all_command(stored_key.key, mark));
    const auto& first = part.front();
    const auto deleted = run(server.primary_of(first.key), std::move(commands), first, options.delete_durability);
    if (!deleted) return std::unexpected(deleted.error());
    confirmed = std::min(confirmed, deleted->confirmed_replicas);
  }
  return confirmed;
}

}  // namespace

// Whether it stood is asked first: a delete that is repeated after a lost answer finds nothing.
Result<ExitCode> revoke(const Context& context, const SessionKey& key, const RevokeOptions& revoke) {
  if (auto valid = validate(key); !valid) return std::unexpected(valid.error());
  const auto options = options_for(context, revoke);
  if (!options) return std::unexpected(options.error());
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  const auto stored_key = make_stored_key(options->key_prefix, key.user_id, key.type);
  auto& primary = server->primary_of(stored_key.key);
  const auto standing = primary.call(get_command(stored_key.key, key.id));
  if (!standing) return std::unexpected(standing.error());
  const auto deleted =
      run(primary, {delete_one_command(stored_key.key, key.id)}, stored_key, options->delete_durability);
  if (!deleted) return std::unexpected(deleted.error());

  const bool was_found = standing->kind == redis::Reply::Kind::text;
  if (context.common.is_json) {
    Json object;
    add_bytes(object, "user_id", key.user_id);
    object["type"] = key.type;
    object["id_hash"] = session_id_hash(key.id);
    object["revoked"] = was_found ? 1 : 0;
    object["confirmed_replicas"] = deleted->confirmed_replicas;
    print_json(object);
  } else {
    fmt::print("{}\n", was_found ? "revoked 1 session" : "no such session");
    if (revoke.replicas > 0) fmt::print("{} confirmed it\n", counted(deleted->confirmed_replicas, "replica"));
  }
  return was_found ? ExitCode::done : ExitCode::negative;
}

// Deletes also where none is counted, since a mark may be wanted for a login that is under way.
Result<ExitCode> revoke_all(const Context& context, const RevokeAllArguments& arguments) {
  if (auto valid = validate_user(arguments.user_id, arguments.types); !valid) return std::unexpected(valid.error());
  const auto options = options_for(context, arguments.options);
  if (!options) return std::unexpected(options.error());
  const auto server = Server::connect(*options);
  if (!server) return std::unexpected(server.error());
  const auto stored_keys = stored_keys_of_user(*server, options->key_prefix, arguments.user_id, arguments.types);
  if (!stored_keys) return std::unexpected(stored_keys.error());
  const auto counts = count_sessions(*server, *stored_keys);
  if (!counts) return std::unexpected(counts.error());
  const auto sessions = total(*counts);
  if (sessions > 0) {
    const auto confirmed = confirm(question(arguments.user_id, *counts), arguments.is_confirmed);
    if (!confirmed) return std::unexpected(confirmed.error());
    if (!*confirmed) return ExitCode::negative;
  }
  const auto replicas = delete_all(*server, *stored_keys, *options, arguments.options.mark_lifetime_seconds);
  if (!replicas) return std::unexpected(replicas.error());

  if (context.common.is_json) {
    Json object;
    add_bytes(object, "user_id", arguments.user_id);
    object["revoked"] = sessions;
    object["by_type"] = Json(*counts);
    object["confirmed_replicas"] = *replicas;
    print_json(object);
  } else {
    fmt::print("revoked {}\n", counted(sessions, "session"));
    if (arguments.options.replicas > 0) fmt::print("{} confirmed it\n", counted(*replicas, "replica"));
  }
  return sessions > 0 ? ExitCode::done : ExitCode::negative;
}

}  // namespace obol::ctl
