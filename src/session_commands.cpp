// The commands of each store operation and what their replies mean.
#include "session_commands.hpp"

#include <fmt/format.h>

#include <utility>

#include "obol/session_limits.hpp"
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

// Servers keep a field through the very millisecond of its expiry (https://redis.io/docs/latest/commands/hsetex/), the
// store does not: one less makes both agree, so that no refresh succeeds after a get has found nothing.
std::string expiry(const Session& session) {
  return fmt::format("{}", std::chrono::milliseconds(end_of_life(session).time_since_epoch()).count() - 1);
}

}  // namespace

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

Command delete_one_command(std::string_view stored_key, std::string_view id) { return {"HDEL", stored_key, id}; }

Command delete_all_command(std::string_view stored_key) { return {"UNLINK", stored_key}; }

Command delete_others_command(std::string_view stored_key, std::string_view kept_id) {
  return {"FCALL", embedded::delete_others_function, "1", stored_key, kept_id};
}

Command probe_command(std::string_view prefix) {
  // No user id is empty, so nothing can be stored there.
  return {"FCALL", embedded::update_function, "1", stored_key(prefix, "", "probe"), "probe", "", "", "0"};
}

Result<std::optional<std::string>> get_result(Reply reply) {
  if (reply.kind == Reply::Kind::nil) return std::nullopt;
  if (reply.kind == Reply::Kind::text) return std::move(reply.text);
  return unexpected_reply();
}

Result<std::vector<StoredField>> get_all_result(Reply reply) {
  if (reply.kind != Reply::Kind::map || reply.elements.size() % 2 != 0) return unexpected_reply();
  std::vector<StoredField> fields;
  fields.reserve(reply.elements.size() / 2);
  for (std::size_t i = 0; i < reply.elements.size(); i += 2) {
    Reply& id = reply.elements[i];
    Reply& sealed = reply.elements[i + 1];
    if (id.kind != Reply::Kind::text || sealed.kind != Reply::Kind::text) return unexpected_reply();
    fields.push_back({.id = std::move(id.text), .sealed = std::move(sealed.text)});
  }
  return fields;
}

Result<bool> create_result(const Reply& reply) {
  if (reply.kind != Reply::Kind::integer) return unexpected_reply();
  return reply.integer == 1;
}

Result<UpdateResult> update_result(Reply reply) {
  using Outcome = UpdateResult::Outcome;
  switch (reply.kind) {
    case Reply::Kind::integer:
      return UpdateResult{.outcome = Outcome::stored, .sealed = {}};
    case Reply::Kind::text:
      return UpdateResult{.outcome = Outcome::conflict, .sealed = std::move(reply.text)};
    case Reply::Kind::nil:
      return UpdateResult{.outcome = Outcome::gone, .sealed = {}};
    default:
      return unexpected_reply();
  }
}

Result<void> delete_result(const Reply& reply) {
  if (reply.kind != Reply::Kind::integer) return unexpected_reply();
  return {};
}

}  // namespace obol::inline v0
