// RedisStore: sessions in, commands out, and what came of them.
#include "obol/redis_store.hpp"

#include <mutex>
#include <utility>

#include "admission.hpp"
#include "diagnosis.hpp"
#include "fork_registration.hpp"
#include "obol/detail/upsert_errors.hpp"
#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "redis/client.hpp"
#include "redis_options.hpp"
#include "sealing/sealing.hpp"
#include "session_commands.hpp"

namespace obol::inline v0 {
namespace {

std::unexpected<UpsertError> upsert_failure(Error error) { return std::unexpected(UpsertError{std::move(error), {}}); }

RedisStoreOptions without_keyring(RedisStoreOptions options) {
  options.keyring = {};
  return options;
}

Error closed_error() { return {ErrorCode::closed, "the store was closed; make a new one"}; }

}  // namespace

class RedisStore::Implementation {
 public:
  explicit Implementation(RedisStoreOptions options)
      : options_(without_keyring(options)),
        observer_(options.observer),
        client_(options, session_functions()),
        keyring_(std::move(options.keyring)),
        fork_registration_(keyring_mutex_, [this] { admission_.forget_callers(); }) {}

  ~Implementation() {
    close();
    admission_.await_idle();
  }

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  Result<void> start();

  Result<std::optional<Session>> get(const SessionKey& key);
  std::expected<Upserted, UpsertError> upsert(Session& session);
  std::expected<void, UpsertError> rotate_id(Session& session);
  Result<Deleted> delete_one(const SessionKey& key);
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type);
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type);
  Result<Deleted> delete_others(const SessionKey& keep);
  Result<std::vector<Finding>> diagnose();
  Result<void> replace_keyring(Keyring keyring);

  void close() {
    admission_.close();
    client_.close();
  }

 private:
  using Deadline = redis::Deadline;

  /// A session as it shall be stored, and all that is needed to send it.
  struct Write {
    Session session;
    std::string standing_id;  ///< What it replaces is stored under this one.
    std::string place;
    std::string sealed;
    Keyring keyring;
  };
  Result<Write> prepare(Session session, std::string standing_id);
  std::expected<Upserted, UpsertError> create(const Write& write);
  std::expected<Upserted, UpsertError> managed_create(const Write& write);
  std::expected<void, UpsertError> replace(const redis::Command& command, const Write& write);
  std::unexpected<UpsertError> refused(UpsertError error, const Session& session);
  std::unexpected<UpsertError> lost_to(const std::optional<std::string>& winner, const Write& write);
  Result<std::optional<Session>> open_stored(const std::string& sealed, const std::string& place, const SessionKey& key,
                                             const Keyring& keyring);
  Result<Deleted> run_delete(const redis::Command& command, const std::string& place);

  Keyring keyring() {
    const std::scoped_lock lock(keyring_mutex_);
    return keyring_;
  }

  std::string place_of(std::string_view user_id, std::string_view type) const {
    return stored_key(options_.key_prefix, user_id, type);
  }

  /// Tells the observer, if there is one; `make` builds the event only then.
  template <class Member, class Make>
  void tell(Member member, Make make) const {
    if (observer_) (observer_.get()->*member)(make());
  }

  static SessionEvent session_event(const std::string& id, std::string_view type, std::uint64_t lock_version) {
    return {.id_hash = session_id_hash(id), .type = type, .lock_version = lock_version};
  }

  const RedisStoreOptions options_;  ///< Without the keyring, which may be replaced.
  const std::shared_ptr<Observer> observer_;
  Admission admission_;
  redis::Client client_;
  std::mutex keyring_mutex_;
  Keyring keyring_;
  ForkRegistration fork_registration_;
};

Result<std::optional<Session>> RedisStore::Implementation::get(const SessionKey& key) {
  if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
  const auto entry = admission_.enter();
  if (!entry) return std::unexpected(closed_error());
  const auto place = place_of(key.user_id, key.type);
  auto reply = client_.call(get_command(place, key.id), client_.new_deadline());
  if (!reply) return std::unexpected(std::move(reply.error()));
  auto sealed = get_result(std::move(*reply));
  if (!sealed) return std::unexpected(std::move(sealed.error()));
  if (!*sealed) return std::nullopt;
  return open_stored(**sealed, place, key, keyring());
}

Result<std::vector<Session>> RedisStore::Implementation::get_all(std::string_view user_id, std::string_view type) {
  if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
  const auto entry = admission_.enter();
  if (!entry) return std::unexpected(closed_error());
  const auto place = place_of(user_id, type);
  auto reply = client_.call(get_all_command(place), client_.new_deadline());
  if (!reply) return std::unexpected(std::move(reply.error()));
  auto fields = get_all_result(std::move(*reply));
  if (!fields) return std::unexpected(std::move(fields.error()));

  const auto keys = keyring();
  SessionKey key{.user_id = std::string(user_id), .type = std::string(type), .id = {}};
  std::vector<Session> sessions;
  sessions.reserve(fields->size());
  for (auto& field : *fields) {
    key.id = std::move(field.id);
    auto session = open_stored(field.sealed, place, key, keys);
    if (!session) return std::unexpected(std::move(session.error()));
    if (*session) sessions.push_back(std::move(**session));
  }
  return sessions;
}

Result<void> RedisStore::Implementation::start() {
  if (auto started = client_.start(probe_command(options_.key_prefix)); !started) return started;
  if (!observer_) return {};
  // A look that fails takes nothing from a connection that works.
  if (const auto findings = diagnose()) {
    for (const auto& finding : *findings) observer_->on_finding(finding);
  }
  return {};
}

Result<std::vector<Finding>> RedisStore::Implementation::diagnose() {
  const auto entry = admission_.enter();
  if (!entry) return std::unexpected(closed_error());
  auto inspection = client_.inspect(diagnosis_commands(options_.key_prefix));
  if (!inspection) return std::unexpected(std::move(inspection.error()));
  return v0::diagnose(*inspection, options_, options_.clock());
}

Result<RedisStore::Implementation::Write> RedisStore::Implementation::prepare(Session session,
                                                                              std::string standing_id) {
  if (auto valid = validate(session, options_.maximum_payload_bytes, options_.clock()); !valid) {
    return std::unexpected(std::move(valid.error()));
  }
  ++session.lock_version;
  Write write{.session = std::move(session),
              .standing_id = std::move(standing_id),
              .place = {},
              .sealed = {},
              .keyring = keyring()};
  write.place = place_of(write.session.user_id, write.session.type);
  auto sealed = sealing::seal(write.session, write.place, write.keyring, options_.encryption);
  if (!sealed) return std::unexpected(std::move(sealed.error()));
  write.sealed = std::move(*sealed);
  return write;
}

std::expected<Upserted, UpsertError> RedisStore::Implementation::upsert(Session& session) {
  const auto entry = admission_.enter();
  if (!entry) return upsert_failure(closed_error());
  const auto write = prepare(session, session.id);
  if (!write) return upsert_failure(write.error());
  const auto& stored = write->session;

  if (session.lock_version > 0) {
    auto replaced = replace(update_command(write->place, stored, write->sealed), *write);
    if (!replaced) return std::unexpected(std::move(replaced.error()));
    session.lock_version = stored.lock_version;
    tell(&Observer::on_refreshed, [&] { return session_event(stored.id, stored.type, stored.lock_version); });
    return Upserted{};
  }
  const auto& policy = options_.policy;
  const bool is_managed = policy.maximum_sessions > 0 || policy.revocation_mark_lifetime.count() > 0;
  auto created = is_managed ? managed_create(*write) : create(*write);
  if (!created) return created;
  session.lock_version = stored.lock_version;
  tell(&Observer::on_created, [&] { return session_event(stored.id, stored.type, stored.lock_version); });
  for (const auto& id : created->evicted) {
    tell(&Observer::on_evicted, [&] { return session_event(id, stored.type, 0); });
  }
  return created;
}

std::expected<void, UpsertError> RedisStore::Implementation::rotate_id(Session& session) {
  const auto entry = admission_.enter();
  if (!entry) return upsert_failure(closed_error());
  if (session.lock_version == 0) {
    return upsert_failure({ErrorCode::invalid_argument, "the session was never stored; upsert it first"});
  }
  if (auto valid = validate(session.key()); !valid) return upsert_failure(std::move(valid.error()));
  Session rotated = session;
  auto id = generate_session_id();
  if (!id) return upsert_failure(std::move(id.error()));
  rotated.id = std::move(*id);
  const auto write = prepare(std::move(rotated), session.id);
  if (!write) return upsert_failure(write.error());
  auto replaced = replace(rotate_command(write->place, session.id, write->session, write->sealed), *write);
  if (!replaced) return replaced;
  session = write->session;
  tell(&Observer::on_id_rotated, [&] { return session_event(session.id, session.type, session.lock_version); });
  return {};
}

// One round trip, and a second where the id is taken: by somebody else, or by our own first attempt whose answer was
// lost.
std::expected<Upserted, UpsertError> RedisStore::Implementation::create(const Write& write) {
  const auto deadline = client_.new_deadline();
  auto reply = client_.call(create_command(write.place, write.session, write.sealed), deadline);
  if (!reply) return upsert_failure(std::move(reply.error()));
  const auto created = create_result(*reply);
  if (!created) return upsert_failure(created.error());
  if (*created) return Upserted{};

  auto standing = client_.call(get_command(write.place, write.session.id), deadline);
  if (!standing) return upsert_failure(std::move(standing.error()));
  const auto winner = get_result(std::move(*standing));
  if (!winner) return upsert_failure(winner.error());
  if (*winner == write.sealed) return Upserted{};
  return lost_to(*winner, write);
}

std::expected<Upserted, UpsertError> RedisStore::Implementation::managed_create(const Write& write) {
  auto reply = client_.call(managed_create_command(write.place, write.session, write.sealed, options_.policy),
                            client_.new_deadline());
  if (!reply) return upsert_failure(std::move(reply.error()));
  auto result = managed_create_result(std::move(*reply));
  if (!result) return upsert_failure(std::move(result.error()));
  switch (result->outcome) {
    case CreateResult::Outcome::stored:
      return Upserted{.evicted = std::move(result->evicted)};
    case CreateResult::Outcome::conflict:
      return lost_to(std::move(result->sealed), write);
    case CreateResult::Outcome::full:
      return refused(detail::too_many_sessions(), write.session);
    case CreateResult::Outcome::revoked:
      break;
  }
  return refused(detail::revoked(), write.session);
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
std::expected<void, UpsertError> RedisStore::Implementation::replace(const redis::Command& command,
                                                                     const Write& write) {
  auto reply = client_.call(command, client_.new_deadline());
  if (!reply) return upsert_failure(std::move(reply.error()));
  auto result = update_result(std::move(*reply));
  if (!result) return upsert_failure(std::move(result.error()));
  switch (result->outcome) {
    case UpdateResult::Outcome::stored:
      return {};
    case UpdateResult::Outcome::conflict:
      return lost_to(std::move(result->sealed), write);
    case UpdateResult::Outcome::gone:
      break;
  }
  const auto& session = write.session;
  tell(&Observer::on_gone, [&] { return session_event(write.standing_id, session.type, session.lock_version - 1); });
  return std::unexpected(detail::gone());
}

std::unexpected<UpsertError> RedisStore::Implementation::lost_to(const std::optional<std::string>& winner,
                                                                 const Write& write) {
  const auto& session = write.session;
  tell(&Observer::on_conflict,
       [&] { return session_event(write.standing_id, session.type, session.lock_version - 1); });
  std::optional<Session> current;
  if (winner) {
    const SessionKey key{.user_id = session.user_id, .type = session.type, .id = write.standing_id};
    if (auto opened = open_stored(*winner, write.place, key, write.keyring)) current = std::move(*opened);
  }
  return std::unexpected(detail::conflict(std::move(current)));
}

Result<std::optional<Session>> RedisStore::Implementation::open_stored(const std::string& sealed,
                                                                       const std::string& place, const SessionKey& key,
                                                                       const Keyring& keyring) {
  auto opened = sealing::open(sealed, place, key, keyring, options_.encryption);
  if (opened) {
    if (is_live(*opened, options_.clock())) return std::move(*opened);
    return std::nullopt;
  }
  tell(&Observer::on_verification_failed, [&] {
    return VerificationFailedEvent{.id_hash = session_id_hash(key.id), .type = key.type, .reason = opened.error()};
  });
  if (opened.error() != VerificationFailure::newer_format) return std::nullopt;
  return std::unexpected(Error{ErrorCode::protocol,
                               "a stored session was written by a newer Obol in a format this one does not know; "
                               "deploy the newer release everywhere before it writes"});
}

Result<Deleted> RedisStore::Implementation::run_delete(const redis::Command& command, const std::string& place) {
  const auto entry = admission_.enter();
  if (!entry) return std::unexpected(closed_error());
  std::vector<redis::Command> commands{command};
  if (const auto& durability = options_.delete_durability; durability.replicas > 0) {
    commands.push_back(barrier_command(place));
    commands.push_back(wait_command(durability));
  }
  const auto replies = client_.call_all(commands, client_.new_deadline());
  if (!replies) return std::unexpected(replies.error());
  return delete_result(*replies);
}

Result<Deleted> RedisStore::Implementation::delete_one(const SessionKey& key) {
  if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
  const auto place = place_of(key.user_id, key.type);
  auto deleted = run_delete(delete_one_command(place, key.id), place);
  if (deleted) tell(&Observer::on_deleted, [&] { return session_event(key.id, key.type, 0); });
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_all(std::string_view user_id, std::string_view type) {
  if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
  const auto place = place_of(user_id, type);
  const auto lifetime = options_.policy.revocation_mark_lifetime;
  const auto now = std::chrono::floor<std::chrono::seconds>(options_.clock());
  auto deleted =
      run_delete(lifetime.count() > 0 ? revoke_all_command(place, now, lifetime) : delete_all_command(place), place);
  if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = type, .kept_one = false}; });
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_others(const SessionKey& keep) {
  if (auto valid = validate(keep); !valid) return std::unexpected(std::move(valid.error()));
  const auto place = place_of(keep.user_id, keep.type);
  auto deleted = run_delete(delete_others_command(place, keep.id), place);
  if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = keep.type, .kept_one = true}; });
  return deleted;
}

Result<void> RedisStore::Implementation::replace_keyring(Keyring keyring) {
  if (keyring.empty()) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, "the new keyring holds no key; the old one stays in use"});
  }
  const std::scoped_lock lock(keyring_mutex_);
  std::swap(keyring_, keyring);
  return {};
}

Result<RedisStore> RedisStore::connect(RedisStoreOptions options) {
  if (auto valid = validate(options); !valid) return std::unexpected(std::move(valid.error()));
  auto implementation = std::make_unique<Implementation>(std::move(options));
  if (auto started = implementation->start(); !started) return std::unexpected(std::move(started.error()));
  return RedisStore(std::move(implementation));
}

RedisStore::RedisStore(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
RedisStore::RedisStore(RedisStore&&) noexcept = default;
RedisStore& RedisStore::operator=(RedisStore&&) noexcept = default;
RedisStore::~RedisStore() = default;

Result<std::optional<Session>> RedisStore::get(const SessionKey& key) { return implementation_->get(key); }
std::expected<Upserted, UpsertError> RedisStore::upsert(Session& session) { return implementation_->upsert(session); }
std::expected<void, UpsertError> RedisStore::rotate_id(Session& session) { return implementation_->rotate_id(session); }
Result<Deleted> RedisStore::delete_one(const SessionKey& key) { return implementation_->delete_one(key); }
Result<std::vector<Session>> RedisStore::get_all(std::string_view user_id, std::string_view type) {
  return implementation_->get_all(user_id, type);
}
Result<Deleted> RedisStore::delete_all(std::string_view user_id, std::string_view type) {
  return implementation_->delete_all(user_id, type);
}
Result<Deleted> RedisStore::delete_others(const SessionKey& keep) { return implementation_->delete_others(keep); }
Result<void> RedisStore::replace_keyring(Keyring keyring) {
  return implementation_->replace_keyring(std::move(keyring));
}
Result<std::vector<Finding>> RedisStore::diagnose() { return implementation_->diagnose(); }
void RedisStore::close() { implementation_->close(); }

}  // namespace obol::inline v0
