// Sessions in maps under one lock.
#include "obol/memory_store.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "obol/fork_safe_mutex.hpp"
#include "obol/session_id.hpp"
#include "store/observed_call.hpp"
#include "store/upsert_errors.hpp"

namespace obol { inline namespace v0 {

// Tells the observer what happened to sessions; call() tells it of the calls.
class [[gnu::visibility("hidden")]] MemoryStore::Implementation final : public SessionStore {
 public:
  explicit Implementation(MemoryStoreOptions options) : options_(std::move(options)) {}

  template <class Call>
  std::invoke_result_t<const Call&> call(Operation operation, const Call& call) const {
    return options_.observer ? observed_call(*options_.observer, operation, call) : call();
  }

  Result<std::optional<Session>> get(const SessionKey& key) override {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    const std::scoped_lock lock(mutex_);
    const Session* stored = find_live(key, options_.clock());
    return stored == nullptr ? std::nullopt : std::optional<Session>(*stored);
  }

  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    const auto now = options_.clock();
    if (auto valid = validate(session, options_.max_payload_bytes, now); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    const auto sent_version = session.lock_version;
    auto outcome = store(session, now);
    report(outcome, session, sent_version);
    return outcome;
  }

  std::expected<void, UpsertError> rotate_id(Session& session) override {
    const auto now = options_.clock();
    if (session.lock_version == 0) {
      return std::unexpected(
          UpsertError{{ErrorCode::invalid_argument, "the session was never stored; upsert it first"}, {}});
    }
    if (auto valid = validate(session, options_.max_payload_bytes, now); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    auto outcome = rotate(session, now);
    if (!outcome) {
      report(std::unexpected(outcome.error()), session, session.lock_version);
    } else if (options_.observer) {
      options_.observer->on_id_rotated(event_of(session.id, session.type, session.lock_version));
    }
    return outcome;
  }

  Result<Deleted> delete_one(const SessionKey& key) override {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    {
      const std::scoped_lock lock(mutex_);
      if (const auto user = users_.find({key.user_id, key.type}); user != users_.end()) {
        if (const auto stored = user->second.find(key.id); stored != user->second.end()) erase(user, stored);
      }
    }
    if (options_.observer) options_.observer->on_deleted({.id_hash = session_id_hash(key.id), .type = key.type});
    return Deleted{};
  }

  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
    const std::scoped_lock lock(mutex_);
    std::vector<Session> sessions;
    const auto now = options_.clock();
    if (const auto user = users_.find({std::string(user_id), std::string(type)}); user != users_.end()) {
      for (const auto& [id, stored] : user->second) {
        if (is_live(stored, now)) sessions.push_back(stored);
      }
    }
    return sessions;
  }

  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    if (auto valid = validate(user_id, type); !valid) return std::unexpected(std::move(valid.error()));
    erase_but(user_id, type, nullptr, true);
    if (options_.observer) options_.observer->on_deleted_all({.type = type, .kept_one = false});
    return Deleted{};
  }

  Result<Deleted> delete_others(const SessionKey& keep) override {
    if (auto valid = validate(keep); !valid) return std::unexpected(std::move(valid.error()));
    erase_but(keep.user_id, keep.type, &keep.id, options_.policy.mark_on_delete_others);
    if (options_.observer) options_.observer->on_deleted_all({.type = keep.type, .kept_one = true});
    return Deleted{};
  }

 private:
  using Owner = std::pair<std::string, std::string>;  ///< User id and type.
  using Sessions = std::map<std::string, Session>;
  using Users = std::map<Owner, Sessions>;
  using Expiry = std::tuple<std::chrono::sys_seconds, Owner, std::string>;

  static Expiry expiry_of(const Session& session) {
    return {end_of_life(session), {session.user_id, session.type}, session.id};
  }

  const Session* find_live(const SessionKey& key, std::chrono::system_clock::time_point now) const {
    const auto user = users_.find({key.user_id, key.type});
    if (user == users_.end()) return nullptr;
    const auto stored = user->second.find(key.id);
    return stored != user->second.end() && is_live(stored->second, now) ? &stored->second : nullptr;
  }

  static SessionEvent event_of(const std::string& id, std::string_view type, std::uint64_t lock_version) {
    return {.id_hash = session_id_hash(id), .type = type, .lock_version = lock_version};
  }

  std::expected<Upserted, UpsertError> store(Session& session, std::chrono::system_clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    purge(now);
    const Session* stored = find_live(session.key(), now);
    if (stored == nullptr && session.lock_version > 0) return std::unexpected(gone());
    if (stored != nullptr && stored->lock_version != session.lock_version) {
      return std::unexpected(conflict(*stored));
    }
    Upserted upserted;
    if (stored != nullptr) {
      expiries_.erase(expiry_of(*stored));
    } else {
      auto admitted = admit(session, now);
      if (!admitted) return admitted;
      upserted = std::move(*admitted);
    }
    ++session.lock_version;
    put(session);
    return upserted;
  }

  /// Makes room for a new session, where the policy lets it in.
  std::expected<Upserted, UpsertError> admit(const Session& session, std::chrono::system_clock::time_point now) {
    const Owner owner{session.user_id, session.type};
    const auto mark = marks_.find(owner);
    const bool is_marked = mark != marks_.end() && now < mark->second + options_.policy.revocation_mark_lifetime;
    if (is_marked && session.created_at <= mark->second) return std::unexpected(revoked());
    const auto user = users_.find(owner);
    const auto maximum = options_.policy.max_sessions;
    if (maximum == 0 || user == users_.end() || user->second.size() < maximum) return Upserted{};
    if (options_.policy.when_full == WhenFull::refuse) return std::unexpected(too_many_sessions());
    std::vector<Expiry> ends;
    for (const auto& [id, stored] : user->second) ends.push_back(expiry_of(stored));
    std::ranges::sort(ends);
    ends.resize(ends.size() - maximum + 1);
    Upserted upserted;
    for (auto& end : ends) {
      expiries_.erase(end);
      user->second.erase(std::get<2>(end));
      upserted.evicted.push_back(std::move(std::get<2>(end)));
    }
    return upserted;
  }

  std::expected<void, UpsertError> rotate(Session& session, std::chrono::system_clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    purge(now);
    const Session* stored = find_live(session.key(), now);
    if (stored == nullptr) return std::unexpected(gone());
    if (stored->lock_version != session.lock_version) return std::unexpected(conflict(*stored));
    auto id = generate_session_id();
    if (!id) return std::unexpected(UpsertError{std::move(id.error()), {}});
    if (options_.policy.mark_on_rotate_id) leave_mark({session.user_id, session.type}, now);
    expiries_.erase(expiry_of(*stored));
    auto& sessions = users_[{session.user_id, session.type}];
    sessions.erase(session.id);
    session.id = std::move(*id);
    ++session.lock_version;
    put(session);
    return {};
  }

  void put(const Session& session) {
    expiries_.insert(expiry_of(session));
    users_[{session.user_id, session.type}].insert_or_assign(session.id, session);
  }

  void leave_mark(const Owner& owner, std::chrono::system_clock::time_point time) {
    const auto lifetime = options_.policy.revocation_mark_lifetime;
    if (lifetime.count() == 0) return;
    const auto now = std::chrono::floor<std::chrono::seconds>(time);
    std::erase_if(marks_, [&](const auto& mark) { return mark.second + lifetime <= now; });
    auto& mark = marks_[owner];
    mark = std::max(mark, now);
  }

  void report(const std::expected<Upserted, UpsertError>& outcome, const Session& session,
              std::uint64_t sent_version) const {
    if (!options_.observer) return;
    const auto event = event_of(session.id, session.type, session.lock_version);
    if (outcome && sent_version == 0) {
      options_.observer->on_created(event);
      for (const auto& id : outcome->evicted) options_.observer->on_evicted(event_of(id, session.type, 0));
    } else if (outcome) {
      options_.observer->on_refreshed(event);
    } else if (outcome.error().code == ErrorCode::conflict) {
      options_.observer->on_conflict(event);
    } else if (outcome.error().code == ErrorCode::too_many_sessions || outcome.error().code == ErrorCode::revoked) {
      options_.observer->on_refused({.id_hash = event.id_hash,
                                     .type = event.type,
                                     .reason = static_cast<ErrorCode>(outcome.error().code.value())});
    } else {
      options_.observer->on_gone(event);
    }
  }

  void erase(Users::iterator user, Sessions::iterator stored) {
    expiries_.erase(expiry_of(stored->second));
    user->second.erase(stored);
    if (user->second.empty()) users_.erase(user);
  }

  void erase_but(std::string_view user_id, std::string_view type, const std::string* kept_id, bool leaves_mark) {
    const Owner owner(user_id, type);
    const auto now = options_.clock();
    const std::scoped_lock lock(mutex_);
    if (leaves_mark) leave_mark(owner, now);
    const auto user = users_.find(owner);
    if (user == users_.end()) return;
    std::erase_if(user->second, [&](const auto& entry) {
      const bool doomed = kept_id == nullptr || entry.first != *kept_id;
      if (doomed) expiries_.erase(expiry_of(entry.second));
      return doomed;
    });
    if (user->second.empty()) users_.erase(user);
  }

  void purge(std::chrono::system_clock::time_point now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    while (!expiries_.empty() && std::get<0>(*expiries_.begin()) <= second) {
      const auto [end, owner, id] = *expiries_.begin();
      const auto user = users_.find(owner);
      erase(user, user->second.find(id));
    }
  }

  const MemoryStoreOptions options_;
  ForkSafeMutex mutex_{};
  Users users_{};
  std::set<Expiry> expiries_{};
  std::map<Owner, std::chrono::sys_seconds> marks_{};  ///< No session begun until then is let in.
};

MemoryStore::MemoryStore(MemoryStoreOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}
MemoryStore::~MemoryStore() = default;

Result<std::optional<Session>> MemoryStore::get(const SessionKey& key) {
  return implementation_->call(Operation::get, [&] { return implementation_->get(key); });
}
Result<std::vector<std::optional<Session>>> MemoryStore::get_many(std::span<const SessionKey> keys) {
  return implementation_->call(Operation::get_many, [&] { return implementation_->get_many(keys); });
}
std::expected<Upserted, UpsertError> MemoryStore::upsert(Session& session) {
  const auto operation = session.lock_version == 0 ? Operation::create : Operation::update;
  return implementation_->call(operation, [&] { return implementation_->upsert(session); });
}
std::expected<void, UpsertError> MemoryStore::rotate_id(Session& session) {
  return implementation_->call(Operation::rotate_id, [&] { return implementation_->rotate_id(session); });
}
Result<Deleted> MemoryStore::delete_one(const SessionKey& key) {
  return implementation_->call(Operation::delete_one, [&] { return implementation_->delete_one(key); });
}
Result<std::vector<Session>> MemoryStore::get_all(std::string_view user_id, std::string_view type) {
  return implementation_->call(Operation::get_all, [&] { return implementation_->get_all(user_id, type); });
}
Result<Deleted> MemoryStore::delete_all(std::string_view user_id, std::string_view type) {
  return implementation_->call(Operation::delete_all, [&] { return implementation_->delete_all(user_id, type); });
}
Result<Deleted> MemoryStore::delete_others(const SessionKey& keep) {
  return implementation_->call(Operation::delete_others, [&] { return implementation_->delete_others(keep); });
}

}}  // namespace obol::v0
