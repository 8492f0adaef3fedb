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
  ++session.lock_version;
  Write write{.session = std::move(session),
              .standing_id = std::move(standing_id),
              .stored_key = {},
              .sealed = {},
              .keyring = keyring()};
  // If it is not moved on.
  const Cleansing cleansing(write.session, options_.encryption);
  write.stored_key = stored_key_of(write.session.user_id, write.session.type);
  auto sealed = sealing::seal(write.session, write.stored_key, write.keyring, options_.encryption);
  if (!sealed) return std::unexpected(std::move(sealed.error()));
  write.sealed = std::move(*sealed);
  return write;
}

std::expected<void, UpsertError> RedisStore::Implementation::upsert(Session& session,
                                                                    std::vector<std::string>& evicted) {
  auto write = prepare(session, session.id);
  if (!write) return upsert_failure(write.error());
  const Cleansing cleansing(write->session, options_.encryption);
  const auto& stored = write->session;
  const Invalidation invalidation(cache_.get(), write->stored_key);

  const auto& policy = options_.policy;
  const bool is_managed = policy.max_sessions > 0 || policy.revocation_mark_lifetime.count() > 0;
  auto outcome = [&] {
    if (session.lock_version == 0) return is_managed ? managed_create(*write, evicted) : create(*write);
    return replace(
        [&](bool checks_clock) { return update_command(write->stored_key, stored, write->sealed, checks_clock); },
        *write);
  }();
  if (outcome) session.lock_version = stored.lock_version;
  return outcome;
}

std::expected<void, UpsertError> RedisStore::Implementation::rotate_id(Session& session) {
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
  if (replaced) session = std::move(write->session);
  return replaced;
}

// One round trip, and a second where the id is taken: by somebody else, or by our own first attempt whose answer was
// lost.
std::expected<void, UpsertError> RedisStore::Implementation::create(const Write& write) {
  const auto deadline = client_.new_deadline();
  auto written = client_.write_until(
      write.stored_key, field_expiry(write.session),
      [&](bool) { return create_command(write.stored_key, write.session, write.sealed); }, deadline);
  if (!written) return upsert_failure(std::move(written.error()));
  const auto created = create_result(written->reply);
  if (!created) return upsert_failure(created.error());
  if (*created && written->is_past) return expired_there();
  if (*created) return {};

  auto standing = client_.call(write.stored_key, get_command(write.stored_key, write.session.id), deadline);
  if (!standing) return upsert_failure(std::move(standing.error()));
  const auto winner = get_result(*standing);
  if (!winner) return upsert_failure(winner.error());
  if (*winner == write.sealed) return {};
  return lost_to(*winner, write);
}

// One round trip, unless the user has so many sessions that the server may not count them in one go.
std::expected<void, UpsertError> RedisStore::Implementation::managed_create(const Write& write,
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
        return {};
      case CreateResult::Outcome::conflict:
        return lost_to(result->sealed, write);
      case CreateResult::Outcome::revoked:
        return std::unexpected(revoked());
      case CreateResult::Outcome::expired:
        return expired_there();
      case CreateResult::Outcome::full:
        return std::unexpected(too_many_sessions());
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
      if (policy.when_full == WhenFull::refuse) return std::unexpected(too_many_sessions());
      doomed.push_back(std::move(kept.extract(kept.begin()).value()));
    }
    cursor = thinned->cursor == "0" ? std::string() : std::move(thinned->cursor);
  }
  return {};
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
  return std::unexpected(gone());
}

std::unexpected<UpsertError> RedisStore::Implementation::lost_to(std::optional<std::string_view> winner,
                                                                 const Write& write) {
  const auto& session = write.session;
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
  const auto stored_key = stored_key_of(key.user_id, key.type);
  return run_delete(delete_one_command(stored_key, key.id), stored_key);
}

Result<Deleted> RedisStore::Implementation::delete_all(std::string_view user_id, std::string_view type) {
  const auto stored_key = stored_key_of(user_id, type);
  const auto mark = revocation_mark();
  return run_delete(mark ? revoke_all_command(stored_key, *mark) : delete_all_command(stored_key), stored_key);
}

Result<Deleted> RedisStore::Implementation::delete_others(const SessionKey& keep) {
  const auto stored_key = stored_key_of(keep.user_id, keep.type);
  const auto mark = options_.policy.mark_on_delete_others ? revocation_mark() : std::nullopt;
  return run_delete(delete_others_command(stored_key, keep.id, mark), stored_key);
}

}}  // namespace obol::v0
