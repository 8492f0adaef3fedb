// How sessions are stored and deleted, and what came of it.
#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "sealing/cleansing.hpp"
#include "sealing/sealing.hpp"
#include "store/redis_store_implementation.hpp"
#include "store/upsert_errors.hpp"

namespace obol { inline namespace v0 {
namespace {

std::unexpected<UpsertError> upsert_failure(Error error) { return std::unexpected(UpsertError{std::move(error), {}}); }

std::unexpected<UpsertError> expired_there() {
  return upsert_failure({ErrorCode::expired,
                         "by the server's clock the session expires now or in the past; nothing was stored: "
                         "synchronise the clocks of the hosts and the server"});
}

}  // namespace

Result<RedisStore::Implementation::Write> RedisStore::Implementation::prepare(Session session,
                                                                              std::string standing_id) {
  // If it is not moved on.
  const Cleansing cleansing(session, options_.encryption);
  if (auto valid = validate(session, options_.max_payload_bytes, options_.clock()); !valid) {
    return std::unexpected(std::move(valid.error()));
  }
  ++session.lock_version;
  Write write{.session = std::move(session),
              .standing_id = std::move(standing_id),
              .stored_key = {},
              .sealed = {},
              .keyring = keyring()};
  write.stored_key = stored_key_of(write.session.user_id, write.session.type);
  auto sealed = sealing::seal(write.session, write.stored_key, write.keyring, options_.encryption);
  if (!sealed) return std::unexpected(std::move(sealed.error()));
  write.sealed = std::move(*sealed);
  return write;
}

std::expected<Upserted, UpsertError> RedisStore::Implementation::upsert(Session& session) {
  auto write = prepare(session, session.id);
  if (!write) return upsert_failure(write.error());
  const Cleansing cleansing(write->session, options_.encryption);
  const auto& stored = write->session;
  const Invalidation invalidation(cache_.get(), write->stored_key);

  if (session.lock_version > 0) {
    auto replaced = replace(
        [&](bool checks_clock) { return update_command(write->stored_key, stored, write->sealed, checks_clock); },
        *write);
    if (!replaced) return std::unexpected(std::move(replaced.error()));
    session.lock_version = stored.lock_version;
    tell(&Observer::on_refreshed, [&] { return session_event(stored.id, stored.type, stored.lock_version); });
    return Upserted{};
  }
  const auto& policy = options_.policy;
  const bool is_managed = policy.max_sessions > 0 || policy.revocation_mark_lifetime.count() > 0;
  std::vector<std::string> evicted;
  auto created = is_managed ? managed_create(*write, evicted) : create(*write);
  if (created) {
    session.lock_version = stored.lock_version;
    tell(&Observer::on_created, [&] { return session_event(stored.id, stored.type, stored.lock_version); });
  }
  for (const auto& id : evicted) {
    tell(&Observer::on_evicted, [&] { return session_event(id, stored.type, 0); });
  }
  if (created) created->evicted = std::move(evicted);
  return created;
}

std::expected<void, UpsertError> RedisStore::Implementation::rotate_id(Session& session) {
  if (session.lock_version == 0) {
    return upsert_failure({ErrorCode::invalid_argument, "the session was never stored; upsert it first"});
  }
  if (auto valid = validate(session.key()); !valid) return upsert_failure(std::move(valid.error()));
  Session rotated = session;
  auto id = generate_session_id();
  if (!id) return upsert_failure(std::move(id.error()));
  rotated.id = std::move(*id);
  auto write = prepare(std::move(rotated), session.id);
  if (!write) return upsert_failure(write.error());
  const Cleansing cleansing(write->session, options_.encryption);
  const Invalidation invalidation(cache_.get(), write->stored_key);
  const auto mark = options_.policy.mark_on_rotate_id ? revocation_mark() : std::nullopt;
  auto replaced = replace(
      [&](bool checks_clock) {
        return rotate_command(write->stored_key, session.id, write->session, write->sealed, mark, checks_clock);
      },
      *write);
  if (!replaced) return replaced;
  session = std::move(write->session);
  tell(&Observer::on_id_rotated, [&] { return session_event(session.id, session.type, session.lock_version); });
  return {};
}

// One round trip, and a second where the id is taken: by somebody else, or by our own first attempt whose answer was
// lost.
std::expected<Upserted, UpsertError> RedisStore::Implementation::create(const Write& write) {
  const auto deadline = client_.new_deadline();
  auto written = client_.write_until(
      write.stored_key, field_expiry(write.session),
      [&](bool) { return create_command(write.stored_key, write.session, write.sealed); }, deadline);
  if (!written) return upsert_failure(std::move(written.error()));
  const auto created = create_result(written->reply);
  if (!created) return upsert_failure(created.error());
  if (*created && written->is_past) return expired_there();
  if (*created) return Upserted{};

  auto standing = client_.call(write.stored_key, get_command(write.stored_key, write.session.id), deadline);
  if (!standing) return upsert_failure(std::move(standing.error()));
  const auto winner = get_result(*standing);
  if (!winner) return upsert_failure(winner.error());
  if (*winner == write.sealed) return Upserted{};
  return lost_to(*winner, write);
}

// One round trip, unless the user has so many sessions that the server may not count them in one go.
std::expected<Upserted, UpsertError> RedisStore::Implementation::managed_create(const Write& write,
                                                                                std::vector<std::string>& evicted) {
  const auto deadline = client_.new_deadline();
  auto counting = Counting::unless_crowded;
  for (;;) {
    auto written = client_.write_until(
        write.stored_key, field_expiry(write.session),
        [&](bool checks_clock) {
          return managed_create_command(write.stored_key, write.session, write.sealed, options_.policy, counting,
                                        checks_clock);
        },
        deadline);
    if (!written) return upsert_failure(std::move(written.error()));
    auto result = managed_create_result(written->reply);
    if (!result) return upsert_failure(std::move(result.error()));
    switch (result->outcome) {
      case CreateResult::Outcome::stored:
        std::ranges::move(result->evicted, std::back_inserter(evicted));
        return Upserted{};
      case CreateResult::Outcome::conflict:
        return lost_to(result->sealed, write);
      case CreateResult::Outcome::revoked:
        return refused(revoked(), write.session);
      case CreateResult::Outcome::expired:
        return expired_there();
      case CreateResult::Outcome::full:
        return refused(too_many_sessions(), write.session);
      case CreateResult::Outcome::crowded:
        if (auto made = make_room(write, deadline, evicted); !made) return std::unexpected(std::move(made.error()));
        counting = Counting::always;
    }
  }
}

// Looks at all sessions of a user, some at a time, and evicts all but as many as leave room for one more: those that
// expire last. What is evicted stays so, also if the deadline passes before all were looked at.
std::expected<void, UpsertError> RedisStore::Implementation::make_room(const Write& write, Deadline deadline,
                                                                       std::vector<std::string>& evicted) {
  const auto& policy = options_.policy;
  std::set<ExpiringId> kept;
  std::vector<ExpiringId> doomed;
  for (std::string cursor = "0"; !cursor.empty() || !doomed.empty();) {
    auto reply = client_.call(write.stored_key, thin_out_command(write.stored_key, cursor, doomed), deadline);
    if (!reply) return upsert_failure(std::move(reply.error()));
    auto thinned = thin_out_result(*reply);
    if (!thinned) return upsert_failure(std::move(thinned.error()));
    std::ranges::move(thinned->evicted, std::back_inserter(evicted));
    doomed.clear();
    for (auto& session : thinned->seen) {
      kept.insert(std::move(session));
      if (kept.size() < policy.max_sessions) continue;
      if (policy.when_full == WhenFull::refuse) return refused(too_many_sessions(), write.session);
      doomed.push_back(std::move(kept.extract(kept.begin()).value()));
    }
    cursor = thinned->cursor == "0" ? std::string() : std::move(thinned->cursor);
  }
  return {};
}

std::unexpected<UpsertError> RedisStore::Implementation::refused(UpsertError error, const Session& session) {
  tell(&Observer::on_refused, [&] {
    return RefusedEvent{.id_hash = session_id_hash(session.id),
                        .type = session.type,
                        .reason = static_cast<ErrorCode>(error.code.value())};
  });
  return std::unexpected(std::move(error));
}

// An update or a rotation.
std::expected<void, UpsertError> RedisStore::Implementation::replace(const redis::Client::MakeWrite& make,
                                                                     const Write& write) {
  auto written = client_.write_until(write.stored_key, field_expiry(write.session), make, client_.new_deadline());
  if (!written) return upsert_failure(std::move(written.error()));
  auto result = update_result(written->reply);
  if (!result) return upsert_failure(std::move(result.error()));
  switch (result->outcome) {
    case UpdateResult::Outcome::stored:
      return {};
    case UpdateResult::Outcome::conflict:
      return lost_to(result->sealed, write);
    case UpdateResult::Outcome::expired:
      return expired_there();
    case UpdateResult::Outcome::gone:
      break;
  }
  const auto& session = write.session;
  tell(&Observer::on_gone, [&] { return session_event(write.standing_id, session.type, session.lock_version - 1); });
  return std::unexpected(gone());
}

std::unexpected<UpsertError> RedisStore::Implementation::lost_to(std::optional<std::string_view> winner,
                                                                 const Write& write) {
  const auto& session = write.session;
  tell(&Observer::on_conflict,
       [&] { return session_event(write.standing_id, session.type, session.lock_version - 1); });
  std::optional<Session> current;
  if (winner) {
    const SessionKey key{.user_id = session.user_id, .type = session.type, .id = write.standing_id};
    if (auto theirs = opened(winner, write.stored_key, key, write.keyring)) current = std::move(*theirs);
  }
  return std::unexpected(conflict(std::move(current)));
}

Result<Deleted> RedisStore::Implementation::run_delete(const redis::Command& command, const std::string& stored_key) {
  const Invalidation invalidation(cache_.get(), stored_key);
  const auto deadline = client_.new_deadline();
  const auto& durability = options_.delete_durability;
  if (durability.replicas == 0) {
    const auto reply = client_.call(stored_key, command, deadline);
    if (!reply) return std::unexpected(reply.error());
    return delete_result({&*reply, 1});
  }
  const auto replies = client_.call_all(
      stored_key, std::array{command, barrier_command(stored_key), wait_command(durability)}, deadline);
  if (!replies) return std::unexpected(replies.error());
  return delete_result(*replies);
}

Result<Deleted> RedisStore::Implementation::delete_one(const SessionKey& key) {
  if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
  const auto stored_key = stored_key_of(key.user_id, key.type);
  auto deleted = run_delete(delete_one_command(stored_key, key.id), stored_key);
  if (deleted) tell(&Observer::on_deleted, [&] { return session_event(key.id, key.type, 0); });
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_all(std::string_view user_id, std::string_view type) {
  if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
  const auto stored_key = stored_key_of(user_id, type);
  const auto mark = revocation_mark();
  auto deleted = run_delete(mark ? revoke_all_command(stored_key, *mark) : delete_all_command(stored_key), stored_key);
  if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = type, .kept_one = false}; });
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_others(const SessionKey& keep) {
  if (auto valid = validate(keep); !valid) return std::unexpected(std::move(valid.error()));
  const auto stored_key = stored_key_of(keep.user_id, keep.type);
  const auto mark = options_.policy.mark_on_delete_others ? revocation_mark() : std::nullopt;
  auto deleted = run_delete(delete_others_command(stored_key, keep.id, mark), stored_key);
  if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = keep.type, .kept_one = true}; });
  return deleted;
}

}}  // namespace obol::v0
