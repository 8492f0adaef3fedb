// RedisStore: sessions in, commands out, and what came of them.
#include "obol/redis_store.hpp"

#include <mutex>
#include <utility>

#include "admission.hpp"
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

Error closed_error() { return {ErrorCode::closed, "the store was closed; make a new one"}; }

}  // namespace

class RedisStore::Implementation {
 public:
  explicit Implementation(RedisStoreOptions options)
      : key_prefix_(std::move(options.key_prefix)),
        maximum_payload_bytes_(options.maximum_payload_bytes),
        observer_(options.observer),
        clock_(options.clock),
        client_(options, session_functions()),
        keyring_(std::move(options.keyring)),
        fork_registration_(keyring_mutex_, [this] { admission_.forget_callers(); }) {}

  ~Implementation() {
    close();
    admission_.await_idle();
  }

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  Result<void> start() { return client_.start(probe_command(key_prefix_)); }

  Result<std::optional<Session>> get(const SessionKey& key);
  std::expected<void, UpsertError> upsert(Session& session);
  Result<void> delete_one(const SessionKey& key);
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type);
  Result<void> delete_all(std::string_view user_id, std::string_view type);
  Result<void> delete_others(const SessionKey& keep);
  Result<void> replace_keyring(Keyring keyring);

  void close() {
    admission_.close();
    client_.close();
  }

 private:
  using Deadline = redis::Deadline;

  std::expected<void, UpsertError> create(const Session& stored, const std::string& place, const std::string& sealed,
                                          const Keyring& keyring);
  std::expected<void, UpsertError> update(const Session& stored, const std::string& place, const std::string& sealed,
                                          const Keyring& keyring);
  std::unexpected<UpsertError> lost_to(const std::optional<std::string>& winner, const Session& stored,
                                       const std::string& place, const Keyring& keyring);
  Result<std::optional<Session>> open_stored(const std::string& sealed, const std::string& place, const SessionKey& key,
                                             const Keyring& keyring);
  Result<void> run_delete(const redis::Command& command);

  Keyring keyring() {
    const std::scoped_lock lock(keyring_mutex_);
    return keyring_;
  }

  std::string place_of(std::string_view user_id, std::string_view type) const {
    return stored_key(key_prefix_, user_id, type);
  }

  /// Tells the observer, if there is one; `make` builds the event only then.
  template <class Member, class Make>
  void tell(Member member, Make make) const {
    if (observer_) (observer_.get()->*member)(make());
  }

  static SessionEvent session_event(const std::string& id, std::string_view type, std::uint64_t lock_version) {
    return {.id_hash = session_id_hash(id), .type = type, .lock_version = lock_version};
  }

  const std::string key_prefix_;
  const std::size_t maximum_payload_bytes_;
  const std::shared_ptr<Observer> observer_;
  const Clock clock_;
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

std::expected<void, UpsertError> RedisStore::Implementation::upsert(Session& session) {
  if (auto valid = validate(session, maximum_payload_bytes_, clock_()); !valid) {
    return upsert_failure(std::move(valid.error()));
  }
  const auto entry = admission_.enter();
  if (!entry) return upsert_failure(closed_error());
  Session stored = session;
  ++stored.lock_version;
  const auto place = place_of(stored.user_id, stored.type);
  const auto keys = keyring();
  auto sealed = sealing::seal(stored, place, keys);
  if (!sealed) return upsert_failure(std::move(sealed.error()));

  const bool is_new = session.lock_version == 0;
  auto outcome = is_new ? create(stored, place, *sealed, keys) : update(stored, place, *sealed, keys);
  if (!outcome) return outcome;
  session.lock_version = stored.lock_version;
  tell(is_new ? &Observer::on_created : &Observer::on_refreshed,
       [&] { return session_event(stored.id, stored.type, stored.lock_version); });
  return {};
}

// One round trip, and a second where the id is taken: by somebody else, or by our own first attempt whose answer was
// lost.
std::expected<void, UpsertError> RedisStore::Implementation::create(const Session& stored, const std::string& place,
                                                                    const std::string& sealed, const Keyring& keyring) {
  const auto deadline = client_.new_deadline();
  auto reply = client_.call(create_command(place, stored, sealed), deadline);
  if (!reply) return upsert_failure(std::move(reply.error()));
  const auto created = create_result(*reply);
  if (!created) return upsert_failure(created.error());
  if (*created) return {};

  auto standing = client_.call(get_command(place, stored.id), deadline);
  if (!standing) return upsert_failure(std::move(standing.error()));
  const auto winner = get_result(std::move(*standing));
  if (!winner) return upsert_failure(winner.error());
  if (*winner == sealed) return {};
  return lost_to(*winner, stored, place, keyring);
}

std::expected<void, UpsertError> RedisStore::Implementation::update(const Session& stored, const std::string& place,
                                                                    const std::string& sealed, const Keyring& keyring) {
  auto reply = client_.call(update_command(place, stored, sealed), client_.new_deadline());
  if (!reply) return upsert_failure(std::move(reply.error()));
  auto result = update_result(std::move(*reply));
  if (!result) return upsert_failure(std::move(result.error()));
  switch (result->outcome) {
    case UpdateResult::Outcome::stored:
      return {};
    case UpdateResult::Outcome::conflict:
      return lost_to(std::move(result->sealed), stored, place, keyring);
    case UpdateResult::Outcome::gone:
      break;
  }
  tell(&Observer::on_gone, [&] { return session_event(stored.id, stored.type, stored.lock_version - 1); });
  return std::unexpected(detail::gone());
}

std::unexpected<UpsertError> RedisStore::Implementation::lost_to(const std::optional<std::string>& winner,
                                                                 const Session& stored, const std::string& place,
                                                                 const Keyring& keyring) {
  tell(&Observer::on_conflict, [&] { return session_event(stored.id, stored.type, stored.lock_version - 1); });
  std::optional<Session> current;
  if (winner) {
    if (auto opened = open_stored(*winner, place, stored.key(), keyring)) current = std::move(*opened);
  }
  return std::unexpected(detail::conflict(std::move(current)));
}

Result<std::optional<Session>> RedisStore::Implementation::open_stored(const std::string& sealed,
                                                                       const std::string& place, const SessionKey& key,
                                                                       const Keyring& keyring) {
  auto opened = sealing::open(sealed, place, key, keyring);
  if (opened) {
    if (is_live(*opened, clock_())) return std::move(*opened);
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

Result<void> RedisStore::Implementation::run_delete(const redis::Command& command) {
  const auto entry = admission_.enter();
  if (!entry) return std::unexpected(closed_error());
  const auto reply = client_.call(command, client_.new_deadline());
  if (!reply) return std::unexpected(reply.error());
  return delete_result(*reply);
}

Result<void> RedisStore::Implementation::delete_one(const SessionKey& key) {
  if (auto valid = validate(key); !valid) return valid;
  auto deleted = run_delete(delete_one_command(place_of(key.user_id, key.type), key.id));
  if (deleted) tell(&Observer::on_deleted, [&] { return session_event(key.id, key.type, 0); });
  return deleted;
}

Result<void> RedisStore::Implementation::delete_all(std::string_view user_id, std::string_view type) {
  if (auto valid = validate(user_id, type); !valid) return valid;
  auto deleted = run_delete(delete_all_command(place_of(user_id, type)));
  if (deleted) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = type, .kept_one = false}; });
  return deleted;
}

Result<void> RedisStore::Implementation::delete_others(const SessionKey& keep) {
  if (auto valid = validate(keep); !valid) return valid;
  auto deleted = run_delete(delete_others_command(place_of(keep.user_id, keep.type), keep.id));
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
std::expected<void, UpsertError> RedisStore::upsert(Session& session) { return implementation_->upsert(session); }
Result<void> RedisStore::delete_one(const SessionKey& key) { return implementation_->delete_one(key); }
Result<std::vector<Session>> RedisStore::get_all(std::string_view user_id, std::string_view type) {
  return implementation_->get_all(user_id, type);
}
Result<void> RedisStore::delete_all(std::string_view user_id, std::string_view type) {
  return implementation_->delete_all(user_id, type);
}
Result<void> RedisStore::delete_others(const SessionKey& keep) { return implementation_->delete_others(keep); }
Result<void> RedisStore::replace_keyring(Keyring keyring) {
  return implementation_->replace_keyring(std::move(keyring));
}
void RedisStore::close() { implementation_->close(); }

}  // namespace obol::inline v0
