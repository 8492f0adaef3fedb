// The commands of each store operation and what their replies mean.
#include "session_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "obol/session_limits.hpp"
#include "redis/key_slot.hpp"
#include "sealing/sealing.hpp"
#include "session_functions.hpp"

namespace obol::inline v0 {
namespace {

using redis::Command;
using redis::Reply;

std::unexpected<Error> unexpected_reply() {
  return std::unexpected(Error{ErrorCode::protocol,
                               "the server's reply is not of the kind its command has; is a proxy changing replies?"});
}

std::string milliseconds(FieldExpiry expiry) { return fmt::format("{}", expiry.time_since_epoch().count()); }

std::string expiry(const Session& session) { return milliseconds(field_expiry(session)); }
std::string barrier_key(std::string_view stored_key) { return redis::companion_key(stored_key, "/barrier"); }

}  // namespace

// Servers keep a field through the very millisecond of its expiry (https://redis.io/docs/latest/commands/hsetex/), the
// store does not: one less makes both agree, so that no refresh succeeds after a get has found nothing.
FieldExpiry field_expiry(const Session& session) { return end_of_life(session) - std::chrono::milliseconds(1); }

std::string mark_key(std::string_view stored_key) { return redis::companion_key(stored_key, mark_suffix); }

redis::FunctionLibrary session_functions() {
  return {.name = embedded::library_name, .source = embedded::library_source};
}

std::string stored_key(std::string_view prefix, std::string_view user_id, std::string_view type) {
  std::string key;
  key.reserve(prefix.size() + user_id.size() + type.size() + 3);
  return key.append(prefix).append("{").append(user_id).append("}:").append(type);
}

Command get_command(std::string_view stored_key, std::string_view id) { return {"HGET", stored_key, id}; }

Command get_all_command(std::string_view stored_key) { return {"HGETALL", stored_key}; }

Command create_command(std::string_view stored_key, const Session& session, std::string_view sealed) {
  return {"HSETEX", stored_key, "FNX", "PXAT", expiry(session), "FIELDS", "1", session.id, sealed};
}

Command update_command(std::string_view stored_key, const Session& session, std::string_view sealed) {
  return {"FCALL",    embedded::update_function,
          "1",        stored_key,
          session.id, sealing::encode_lock_version(session.lock_version - 1),
          sealed,     expiry(session)};
}

Command managed_create_command(std::string_view stored_key, const Session& session, std::string_view sealed,
                               const SessionPolicy& policy) {
  const auto maximum = fmt::format("{}", policy.maximum_sessions);
  const auto created_at = fmt::format("{}", session.created_at.time_since_epoch().count());
  const std::string_view evict = policy.when_full == WhenFull::evict ? "1" : "0";
  if (policy.revocation_mark_lifetime.count() == 0) {
    return {"FCALL", embedded::create_function, "1",     stored_key, session.id,
            sealed,  expiry(session),           maximum, evict,      created_at};
  }
  return {"FCALL",
          embedded::create_function,
          "2",
          stored_key,
          mark_key(stored_key),
          session.id,
          sealed,
          expiry(session),
          maximum,
          evict,
          created_at};
}

Command exchange_command(std::string_view stored_key, std::string_view id, std::string_view standing,
                         std::string_view sealed, FieldExpiry expiry) {
  return {"FCALL", embedded::exchange_function, "1", stored_key, id, standing, sealed, milliseconds(expiry)};
}

Command rotate_command(std::string_view stored_key, std::string_view old_id, const Session& session,
                       std::string_view sealed) {
  return {"FCALL",
          embedded::rotate_function,
          "1",
          stored_key,
          old_id,
          sealing::encode_lock_version(session.lock_version - 1),
          session.id,
          sealed,
          expiry(session)};
}

Command revoke_all_command(std::string_view stored_key, std::chrono::sys_seconds now, std::chrono::seconds lifetime) {
  return {"FCALL",
          embedded::revoke_all_function,
          "2",
          stored_key,
          mark_key(stored_key),
          fmt::format("{}", now.time_since_epoch().count()),
          fmt::format("{}", lifetime.count())};
}

Command barrier_command(std::string_view stored_key) {
  return {"FCALL", embedded::barrier_function, "1", barrier_key(stored_key)};
}

Command wait_command(const DeleteDurability& durability) {
  return {"WAIT", fmt::format("{}", durability.replicas), fmt::format("{}", durability.timeout.count())};
}

Command delete_one_command(std::string_view stored_key, std::string_view id) { return {"HDEL", stored_key, id}; }

Command delete_all_command(std::string_view stored_key) { return {"UNLINK", stored_key}; }

Command delete_others_command(std::string_view stored_key, std::string_view kept_id) {
  return {"FCALL", embedded::delete_others_function, "1", stored_key, kept_id};
}

// No user id is empty.
std::string nowhere(std::string_view prefix) { return stored_key(prefix, "", "probe"); }

Command probe_command(std::string_view nowhere) {
  return {"FCALL", embedded::update_function, "1", nowhere, "probe", "", "", "0"};
}

Result<std::optional<std::string_view>> get_result(const Reply& reply) {
  if (reply.kind == Reply::Kind::nil) return std::nullopt;
  if (reply.kind == Reply::Kind::text) return reply.text;
  return unexpected_reply();
}

Result<std::vector<StoredField>> get_all_result(const Reply& reply) {
  if (reply.kind != Reply::Kind::map || reply.elements.size() % 2 != 0) return unexpected_reply();
  std::vector<StoredField> fields;
  fields.reserve(reply.elements.size() / 2);
  for (std::size_t i = 0; i < reply.elements.size(); i += 2) {
    const Reply& id = reply.elements[i];
    const Reply& sealed = reply.elements[i + 1];
    if (id.kind != Reply::Kind::text || sealed.kind != Reply::Kind::text) return unexpected_reply();
    fields.push_back({.id = id.text, .sealed = sealed.text});
  }
  return fields;
}

Result<bool> create_result(const Reply& reply) {
  if (reply.kind != Reply::Kind::integer) return unexpected_reply();
  return reply.integer == 1;
}

Result<CreateResult> managed_create_result(const Reply& reply) {
  using Outcome = CreateResult::Outcome;
  const auto is_text = [](const Reply& element) { return element.kind == Reply::Kind::text; };
  if (reply.kind != Reply::Kind::list || reply.elements.empty() || !std::ranges::all_of(reply.elements, is_text)) {
    return unexpected_reply();
  }
  CreateResult result;
  const auto outcome = reply.elements.front().text;
  if (outcome == "stored") {
    result.outcome = Outcome::stored;
    for (std::size_t i = 1; i < reply.elements.size(); ++i) result.evicted.emplace_back(reply.elements[i].text);
  } else if (outcome == "conflict" && reply.elements.size() == 2) {
    result.outcome = Outcome::conflict;
    result.sealed = reply.elements[1].text;
  } else if (outcome == "revoked") {
    result.outcome = Outcome::revoked;
  } else if (outcome == "full") {
    result.outcome = Outcome::full;
  } else {
    return unexpected_reply();
  }
  return result;
}

Result<UpdateResult> update_result(const Reply& reply) {
  using Outcome = UpdateResult::Outcome;
  switch (reply.kind) {
    case Reply::Kind::integer:
      if (reply.integer == 0)
        return std::unexpected(Error{ErrorCode::internal, "the new session id is taken; try again"});
      return UpdateResult{.outcome = Outcome::stored, .sealed = {}};
    case Reply::Kind::text:
      return UpdateResult{.outcome = Outcome::conflict, .sealed = reply.text};
    case Reply::Kind::nil:
      return UpdateResult{.outcome = Outcome::gone, .sealed = {}};
    default:
      return unexpected_reply();
  }
}

Result<Exchange> exchange_result(const Reply& reply) {
  if (reply.kind == Reply::Kind::nil) return Exchange::gone;
  if (reply.kind != Reply::Kind::integer) return unexpected_reply();
  return reply.integer == 1 ? Exchange::replaced : Exchange::changed;
}

Result<Deleted> delete_result(std::span<const Reply> replies) {
  for (const auto& reply : replies) {
    if (reply.kind != Reply::Kind::integer) return unexpected_reply();
  }
  if (replies.size() == 1) return Deleted{};
  return Deleted{.confirmed_replicas = static_cast<std::size_t>(replies.back().integer)};
}

}  // namespace obol::inline v0
