// The commands of each store operation and what their replies mean.
#include "store/session_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "obol/session_limits.hpp"
#include "redis/protocol/key_slot.hpp"
#include "sealing/sealing.hpp"
#include "session_functions.hpp"

namespace obol { inline namespace v0 {
namespace {

using redis::Command;
using redis::Reply;

std::string milliseconds(FieldExpiry expiry) { return fmt::format("{}", expiry.time_since_epoch().count()); }

std::string barrier_key(std::string_view stored_key) { return redis::companion_key(stored_key, "/barrier"); }

std::string_view flag(bool is_set) { return is_set ? "1" : "0"; }

/// So many sessions a call evicts, or looks at, at most: more would hold up the server for milliseconds.
constexpr std::string_view most_evicted_at_once = "500";

/// Of a command that is still being put together; what it names must outlive it.
using Words = std::vector<std::string_view>;

/// Their number, and the keys: with that of a mark, unless it is empty.
void add_keys(Words& words, std::string_view stored_key, std::string_view mark) {
  words.insert(words.end(), {mark.empty() ? "1" : "2", stored_key});
  if (!mark.empty()) words.push_back(mark);
}

/// What a function that may leave a mark is told of it; nothing where it shall leave none.
struct MarkWords {
  MarkWords(std::string_view stored_key, const std::optional<RevocationMark>& mark) {
    if (!mark) return;
    key = mark_key(stored_key);
    at = fmt::format("{}", mark->at.time_since_epoch().count());
    lifetime = fmt::format("{}", mark->lifetime.count());
  }
  void add_to(Words& words) const {
    if (!key.empty()) words.insert(words.end(), {at, lifetime});
  }

  std::string key;
  std::string at;
  std::string lifetime;
};

}  // namespace

// Servers keep a field through the very millisecond of its expiry (https://redis.io/docs/latest/commands/hsetex/), the
// store does not: one less makes both agree, so that no refresh succeeds after a get has found nothing. Valkey's expiry
// in the background may delete the field in that millisecond already (seen on 9.1.2), so a session may end one early.
FieldExpiry field_expiry(const Session& session) { return end_of_life(session) - std::chrono::milliseconds(1); }

std::string mark_key(std::string_view stored_key) { return redis::companion_key(stored_key, mark_suffix); }

redis::FunctionLibrary session_functions() {
  return {.name = embedded::library_name, .source = embedded::library_source, .scripts = embedded::library_scripts};
}

StoredKey make_stored_key(std::string_view prefix, std::string_view user_id, std::string_view type) {
  StoredKey key(prefix.size() + user_id.size() + type.size() + 3);
  char* next = std::ranges::copy(prefix, key.data()).out;
  *next++ = '{';
  next = std::ranges::copy(user_id, next).out;
  *next++ = '}';
  *next++ = ':';
  std::ranges::copy(type, next);
  return key;
}

std::string stored_key(std::string_view prefix, std::string_view user_id, std::string_view type) {
  return std::string(make_stored_key(prefix, user_id, type).view());
}

Command get_command(std::string_view stored_key, std::string_view id) { return {"HGET", stored_key, id}; }

Command get_all_command(std::string_view stored_key) { return {"HGETALL", stored_key}; }

Command create_command(std::string_view stored_key, const SealedSession& session) {
  return {"HSETEX", stored_key, "FNX", "PXAT", milliseconds(session.expiry), "FIELDS", "1", session.id, session.sealed};
}

Command update_command(std::string_view stored_key, const SealedSession& session, bool checks_clock) {
  return {"FCALL",
          embedded::update_function,
          "1",
          stored_key,
          session.id,
          sealing::encode_lock_version(session.lock_version - 1),
          session.sealed,
          milliseconds(session.expiry),
          flag(checks_clock)};
}

Command managed_create_command(std::string_view stored_key, const SealedSession& session,
                               std::chrono::sys_seconds created_at, const SessionPolicy& policy, Counting counting,
                               bool checks_clock) {
  const auto expires_at = milliseconds(session.expiry);
  const auto begun_at = fmt::format("{}", created_at.time_since_epoch().count());
  const auto maximum = fmt::format("{}", policy.max_sessions);
  Words words{"FCALL", embedded::create_function};
  std::string mark;
  if (policy.revocation_mark_lifetime.count() > 0) mark = mark_key(stored_key);
  add_keys(words, stored_key, mark);
  words.insert(words.end(), {session.id, session.sealed, expires_at, flag(checks_clock), begun_at, maximum,
                             flag(policy.when_full == WhenFull::evict),
                             counting == Counting::always ? std::string_view() : most_evicted_at_once});
  return Command(words);
}

Command thin_out_command(std::string_view stored_key, std::string_view cursor, std::span<const ExpiringId> evicted) {
  std::vector<std::string> expiries;
  for (const auto& session : evicted) expiries.push_back(fmt::format("{}", session.expires_at));
  Words words{"FCALL", embedded::thin_out_function, "1", stored_key, cursor, most_evicted_at_once};
  for (std::size_t i = 0; i < evicted.size(); ++i) words.insert(words.end(), {evicted[i].id, expiries[i]});
  return Command(words);
}

Command exchange_command(std::string_view stored_key, std::string_view id, std::string_view standing,
                         std::string_view sealed, FieldExpiry expiry) {
  return {"FCALL", embedded::exchange_function, "1", stored_key, id, standing, sealed, milliseconds(expiry)};
}

Command rotate_command(std::string_view stored_key, std::string_view old_id, const SealedSession& session,
                       const std::optional<RevocationMark>& mark, bool checks_clock) {
  const auto expires_at = milliseconds(session.expiry);
  const auto replaced = sealing::encode_lock_version(session.lock_version - 1);
  const MarkWords mark_words(stored_key, mark);
  Words words{"FCALL", embedded::rotate_function};
  add_keys(words, stored_key, mark_words.key);
  words.insert(words.end(), {old_id, replaced, session.id, session.sealed, expires_at, flag(checks_clock)});
  mark_words.add_to(words);
  return Command(words);
}

Command delete_all_command(std::string_view stored_key, const std::optional<RevocationMark>& mark) {
  if (!mark) return {"UNLINK", stored_key};
  const MarkWords mark_words(stored_key, mark);
  Words words{"FCALL", embedded::revoke_all_function};
  add_keys(words, stored_key, mark_words.key);
  mark_words.add_to(words);
  return Command(words);
}

Command barrier_command(std::string_view stored_key) {
  return {"FCALL", embedded::barrier_function, "1", barrier_key(stored_key)};
}

Command wait_command(const DeleteDurability& durability) {
  return {"WAIT", fmt::format("{}", durability.replicas), fmt::format("{}", durability.timeout.count())};
}

Command lifetimes_command(std::string_view stored_key, std::span<const std::string> ids) {
  const auto count = std::to_string(ids.size());
  Words words{"HPTTL", stored_key, "FIELDS", count};
  words.insert(words.end(), ids.begin(), ids.end());
  return Command(words);
}

Command delete_one_command(std::string_view stored_key, std::string_view id) { return {"HDEL", stored_key, id}; }

Command delete_others_command(std::string_view stored_key, std::string_view kept_id,
                              const std::optional<RevocationMark>& mark) {
  const MarkWords mark_words(stored_key, mark);
  Words words{"FCALL", embedded::delete_others_function};
  const auto absent = redis::companion_key(stored_key, absent_suffix);
  add_keys(words, stored_key, mark_words.key);
  words.insert(words.end(), {kept_id, absent});
  mark_words.add_to(words);
  return Command(words);
}

// No user id is empty.
std::string probe_key(std::string_view prefix) { return stored_key(prefix, "", "probe"); }

Command probe_command(std::string_view probe_key) {
  return {"FCALL", embedded::update_function, "1", probe_key, "probe", "", "", "0", "0"};
}

std::unexpected<Error> unexpected_reply() {
  return std::unexpected(Error{ErrorCode::protocol,
                               "the server's reply has the wrong type for its command; is a proxy changing replies?"});
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

Result<std::vector<std::int64_t>> lifetimes_result(const Reply& reply) {
  if (reply.kind != Reply::Kind::list) return unexpected_reply();
  std::vector<std::int64_t> lifetimes;
  lifetimes.reserve(reply.elements.size());
  for (const auto& element : reply.elements) {
    if (element.kind != Reply::Kind::integer) return unexpected_reply();
    lifetimes.push_back(element.integer);
  }
  return lifetimes;
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
  } else if (outcome == "expired") {
    result.outcome = Outcome::expired;
  } else if (outcome == "full") {
    result.outcome = Outcome::full;
  } else if (outcome == "crowded") {
    result.outcome = Outcome::crowded;
  } else {
    return unexpected_reply();
  }
  return result;
}

Result<ThinnedOut> thin_out_result(const Reply& reply) {
  using Kind = Reply::Kind;
  const auto& parts = reply.elements;
  if (reply.kind != Kind::list || parts.size() != 3 || parts[0].kind != Kind::text || parts[1].kind != Kind::list ||
      parts[2].kind != Kind::list || parts[2].elements.size() % 2 != 0) {
    return unexpected_reply();
  }
  ThinnedOut result{.cursor = std::string(parts[0].text)};
  for (const auto& id : parts[1].elements) {
    if (id.kind != Kind::text) return unexpected_reply();
    result.evicted.emplace_back(id.text);
  }
  const auto& seen = parts[2].elements;
  for (std::size_t i = 0; i < seen.size(); i += 2) {
    if (seen[i].kind != Kind::text || seen[i + 1].kind != Kind::integer) return unexpected_reply();
    result.seen.push_back({.expires_at = seen[i + 1].integer, .id = std::string(seen[i].text)});
  }
  return result;
}

Result<UpdateResult> update_result(const Reply& reply) {
  using Outcome = UpdateResult::Outcome;
  switch (reply.kind) {
    case Reply::Kind::integer:
      if (reply.integer == 0)
        return std::unexpected(Error{ErrorCode::internal, "the new session id is taken; try again"});
      if (reply.integer < 0) return UpdateResult{.outcome = Outcome::expired, .sealed = {}};
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
  if (reply.integer < 0) return Exchange::expired;
  return reply.integer == 1 ? Exchange::replaced : Exchange::changed;
}

Result<Deleted> delete_result(std::span<const Reply> replies, std::size_t deletes) {
  for (const auto& reply : replies) {
    if (reply.kind != Reply::Kind::integer || reply.integer < 0) return unexpected_reply();
  }
  if (replies.size() == deletes) return Deleted{};
  return Deleted{.confirmed_replicas = static_cast<std::size_t>(replies.back().integer)};
}

}}  // namespace obol::v0
