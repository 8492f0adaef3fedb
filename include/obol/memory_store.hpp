// Sessions in the memory of this process: for tests, demos and programs without a server.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "obol/clock.hpp"
#include "obol/detail/upsert_errors.hpp"
#include "obol/observer.hpp"
#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_store.hpp"

namespace obol::inline v0 {

/// Options of a MemoryStore; all have usable defaults.
struct MemoryStoreOptions {
  std::size_t maximum_payload_bytes = default_maximum_payload_bytes;  ///< Of Session::extra_payload.
  std::shared_ptr<Observer> observer{};                               ///< May be null.
  Clock clock = system_clock();
};

/// Keeps every promise of SessionStore within one process, and loses all sessions with it. Thread-safe. Expired
/// sessions are removed by the writes that follow.
class MemoryStore final : public SessionStore {
 public:
  explicit MemoryStore(MemoryStoreOptions options = {}) : options_(std::move(options)) {}

  Result<std::optional<Session>> get(const SessionKey& key) override {
    if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
    const std::scoped_lock lock(mutex_);
    const Session* stored = find_live(key, options_.clock());
    return stored == nullptr ? std::nullopt : std::optional<Session>(*stored);
  }

  std::expected<void, UpsertError> upsert(Session& session) override {
    const auto now = options_.clock();
    if (auto valid = validate(session, options_.maximum_payload_bytes, now); !valid) {
      return std::unexpected(UpsertError{std::move(valid.error()), {}});
    }
    const auto sent_version = session.lock_version;
    auto outcome = store(session, now);
    report(outcome, session, sent_version);
    return outcome;
  }

  Result<void> delete_one(const SessionKey& key) override {
    if (auto valid = validate(key); !valid) return valid;
    {
      const std::scoped_lock lock(mutex_);
      if (const auto user = users_.find({key.user_id, key.type}); user != users_.end()) {
        if (const auto stored = user->second.find(key.id); stored != user->second.end()) erase(user, stored);
      }
    }
    if (options_.observer) options_.observer->on_deleted({.id_hash = session_id_hash(key.id), .type = key.type});
    return {};
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

  Result<void> delete_all(std::string_view user_id, std::string_view type) override {
    if (auto valid = validate(user_id, type); !valid) return valid;
    erase_but(user_id, type, nullptr);
    if (options_.observer) options_.observer->on_deleted_all({.type = type, .kept_one = false});
    return {};
  }

  Result<void> delete_others(const SessionKey& keep) override {
    if (auto valid = validate(keep); !valid) return valid;
    erase_but(keep.user_id, keep.type, &keep.id);
    if (options_.observer) options_.observer->on_deleted_all({.type = keep.type, .kept_one = true});
    return {};
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

  std::expected<void, UpsertError> store(Session& session, std::chrono::system_clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    purge(now);
    const Session* stored = find_live(session.key(), now);
    if (stored == nullptr && session.lock_version > 0) return std::unexpected(detail::gone());
    if (stored != nullptr && stored->lock_version != session.lock_version) {
      return std::unexpected(detail::conflict(*stored));
    }
    if (stored != nullptr) expiries_.erase(expiry_of(*stored));
    ++session.lock_version;
    expiries_.insert(expiry_of(session));
    users_[{session.user_id, session.type}].insert_or_assign(session.id, session);
    return {};
  }

  void report(const std::expected<void, UpsertError>& outcome, const Session& session,
              std::uint64_t sent_version) const {
    if (!options_.observer) return;
    const SessionEvent event{
        .id_hash = session_id_hash(session.id), .type = session.type, .lock_version = session.lock_version};
    if (outcome && sent_version == 0) {
      options_.observer->on_created(event);
    } else if (outcome) {
      options_.observer->on_refreshed(event);
    } else if (outcome.error().code == ErrorCode::conflict) {
      options_.observer->on_conflict(event);
    } else {
      options_.observer->on_gone(event);
    }
  }

  void erase(Users::iterator user, Sessions::iterator stored) {
    expiries_.erase(expiry_of(stored->second));
    user->second.erase(stored);
    if (user->second.empty()) users_.erase(user);
  }

  void erase_but(std::string_view user_id, std::string_view type, const std::string* kept_id) {
    const std::scoped_lock lock(mutex_);
    const auto user = users_.find({std::string(user_id), std::string(type)});
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
  std::mutex mutex_;
  Users users_;
  std::set<Expiry> expiries_;
};

}  // namespace obol::inline v0
