// Sessions in maps under one lock.
#include "obol/memory_store.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "obol/fork_safe_mutex.hpp"
#include "obol/session_id.hpp"
#include "store/observed_store.hpp"
#include "store/revocation_mark.hpp"
#include "store/store_core.hpp"
#include "store/upsert_errors.hpp"
#include "store/watched_memory.hpp"

namespace obol { inline namespace v0 {

class [[gnu::visibility("hidden")]] MemoryStore::Implementation final : public StoreCore {
 public:
  explicit Implementation(MemoryStoreOptions options)
      : options_(std::move(options)),
        calls_(
            *this,
            {.observer = options_.observer, .max_payload_bytes = options_.max_payload_bytes, .clock = options_.clock}) {
  }

  ObservedStore& calls() { return calls_; }

  Result<std::optional<Session>> get(const SessionKey& key, bool&) override {
    const std::scoped_lock lock(mutex_);
    return copy_of_live(key, options_.clock());
  }

  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override {
    std::vector<std::optional<Session>> sessions;
    sessions.reserve(keys.size());
    const std::scoped_lock lock(mutex_);
    const auto now = options_.clock();
    for (const auto& key : keys) sessions.push_back(copy_of_live(key, now));
    return sessions;
  }

  std::expected<void, UpsertError> upsert(Session& session, std::vector<std::string>& evicted) override {
    const std::scoped_lock lock(mutex_);
    const auto now = options_.clock();
    purge(now);
    const Session* stored = find_live(session.key(), now);
    if (stored == nullptr && session.lock_version > 0) return std::unexpected(gone());
    if (stored != nullptr && stored->lock_version != session.lock_version) return std::unexpected(conflict(*stored));
    if (stored != nullptr) {
      expiries_.erase(expiry_of(*stored));
    } else if (auto admitted = admit(session, now, evicted); !admitted) {
      return admitted;
    }
    ++session.lock_version;
    put(session);
    return {};
  }

  std::expected<void, UpsertError> rotate_id(Session& session) override {
    const std::scoped_lock lock(mutex_);
    const auto now = options_.clock();
    purge(now);
    const Session* stored = find_live(session.key(), now);
    if (stored == nullptr) return std::unexpected(gone());
    if (stored->lock_version != session.lock_version) return std::unexpected(conflict(*stored));
    auto id = generate_session_id();
    if (!id) return std::unexpected(UpsertError{std::move(id.error()), {}});
    leave_mark({session.user_id, session.type}, revocation_mark(options_.policy, Operation::rotate_id, now));
    expiries_.erase(expiry_of(*stored));
    auto& sessions = users_[{session.user_id, session.type}];
    sessions.erase(session.id);
    session.id = std::move(*id);
    ++session.lock_version;
    put(session);
    return {};
  }

  Result<Deleted> delete_one(const SessionKey& key) override {
    const std::scoped_lock lock(mutex_);
    if (const auto user = users_.find({key.user_id, key.type}); user != users_.end()) {
      if (const auto stored = user->second.find(key.id); stored != user->second.end()) {
        erase(user, stored);
        tell_of_change(key.user_id, key.type);
      }
    }
    return Deleted{};
  }

  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
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
    const std::scoped_lock lock(mutex_);
    erase_but({std::string(user_id), std::string(type)}, nullptr, Operation::delete_all, options_.clock());
    return Deleted{};
  }

  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override {
    const std::scoped_lock lock(mutex_);
    const auto now = options_.clock();
    for (const auto& type : types) erase_but({std::string(user_id), type}, nullptr, Operation::delete_all, now);
    return Deleted{};
  }

  Result<Deleted> delete_others(const SessionKey& keep) override {
    const std::scoped_lock lock(mutex_);
    erase_but({keep.user_id, keep.type}, &keep.id, Operation::delete_others, options_.clock());
    return Deleted{};
  }

  // For those who watch sessions.
  void tell(WatchedMemory::Listener& listener) {
    const std::scoped_lock lock(mutex_);
    listeners_.push_back(&listener);
  }
  void forget(WatchedMemory::Listener& listener) {
    const std::scoped_lock lock(mutex_);
    std::erase(listeners_, &listener);
  }
  std::vector<std::int64_t> lifetimes(std::string_view user_id, std::string_view type,
                                      std::span<const std::string> ids) {
    const std::scoped_lock lock(mutex_);
    const auto now = options_.clock();
    std::vector<std::int64_t> lifetimes;
    lifetimes.reserve(ids.size());
    for (const auto& id : ids) {
      const auto* const stored = find_live({std::string(user_id), std::string(type), id}, now);
      lifetimes.push_back(stored == nullptr ? -2 : milliseconds_left(*stored, now));
    }
    return lifetimes;
  }
  void remove_expired() {
    const std::scoped_lock lock(mutex_);
    purge(options_.clock());
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

  std::optional<Session> copy_of_live(const SessionKey& key, std::chrono::system_clock::time_point now) const {
    const Session* const stored = find_live(key, now);
    return stored == nullptr ? std::nullopt : std::optional<Session>(*stored);
  }

  /// Makes room for a new session, where the policy lets it in.
  std::expected<void, UpsertError> admit(const Session& session, std::chrono::system_clock::time_point now,
                                         std::vector<std::string>& evicted) {
    const Owner owner{session.user_id, session.type};
    const auto mark = marks_.find(owner);
    const bool is_marked = mark != marks_.end() && now < mark->second + options_.policy.revocation_mark_lifetime;
    if (is_marked && session.created_at <= mark->second) return std::unexpected(revoked());
    const auto user = users_.find(owner);
    const auto maximum = options_.policy.max_sessions;
    if (maximum == 0 || user == users_.end() || user->second.size() < maximum) return {};
    if (options_.policy.when_full == WhenFull::refuse) return std::unexpected(too_many_sessions());
    std::vector<Expiry> ends;
    for (const auto& [id, stored] : user->second) ends.push_back(expiry_of(stored));
    std::ranges::sort(ends);
    ends.resize(ends.size() - maximum + 1);
    for (auto& end : ends) {
      expiries_.erase(end);
      user->second.erase(std::get<2>(end));
      evicted.push_back(std::move(std::get<2>(end)));
    }
    return {};
  }

  void put(const Session& session) {
    expiries_.insert(expiry_of(session));
    users_[{session.user_id, session.type}].insert_or_assign(session.id, session);
    tell_of_change(session.user_id, session.type);
  }

  // Every session that is removed is of an owner that this is called for afterwards.
  void tell_of_change(std::string_view user_id, std::string_view type) {
    for (auto* const listener : listeners_) listener->on_change(user_id, type);
  }

  // At most a day, so that no time overflows.
  static std::int64_t milliseconds_left(const Session& session, std::chrono::system_clock::time_point now) {
    const std::chrono::sys_time<std::chrono::milliseconds> longest =
        std::chrono::floor<std::chrono::milliseconds>(now) + std::chrono::days(1);
    const auto end = end_of_life(session);
    return (std::chrono::ceil<std::chrono::milliseconds>(std::min<decltype(longest)>(end, longest) - now)).count();
  }

  void leave_mark(const Owner& owner, const std::optional<RevocationMark>& left) {
    if (!left) return;
    std::erase_if(marks_, [&](const auto& mark) { return mark.second + left->lifetime <= left->at; });
    auto& mark = marks_[owner];
    mark = std::max(mark, left->at);
  }

  void erase(Users::iterator user, Sessions::iterator stored) {
    expiries_.erase(expiry_of(stored->second));
    user->second.erase(stored);
    if (user->second.empty()) users_.erase(user);
  }

  void erase_but(const Owner& owner, const std::string* kept_id, Operation call,
                 std::chrono::system_clock::time_point now) {
    leave_mark(owner, revocation_mark(options_.policy, call, now));
    const auto user = users_.find(owner);
    if (user == users_.end()) return;
    std::erase_if(user->second, [&](const auto& entry) {
      const bool doomed = kept_id == nullptr || entry.first != *kept_id;
      if (doomed) expiries_.erase(expiry_of(entry.second));
      return doomed;
    });
    if (user->second.empty()) users_.erase(user);
    tell_of_change(owner.first, owner.second);
  }

  void purge(std::chrono::system_clock::time_point now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    while (!expiries_.empty() && std::get<0>(*expiries_.begin()) <= second) {
      const auto [end, owner, id] = *expiries_.begin();
      const auto user = users_.find(owner);
      for (auto* const listener : listeners_) listener->on_expiry(owner.first, owner.second, id);
      erase(user, user->second.find(id));
      tell_of_change(owner.first, owner.second);
    }
  }

  const MemoryStoreOptions options_;
  ForkSafeMutex mutex_{};
  Users users_{};
  std::set<Expiry> expiries_{};
  std::map<Owner, std::chrono::sys_seconds> marks_{};  ///< No session begun until then is let in.
  std::vector<WatchedMemory::Listener*> listeners_{};
  ObservedStore calls_;
};

void WatchedMemory::tell(Listener& listener) { store_.tell(listener); }
void WatchedMemory::forget(Listener& listener) { store_.forget(listener); }
std::vector<std::int64_t> WatchedMemory::lifetimes(std::string_view user_id, std::string_view type,
                                                   std::span<const std::string> ids) {
  return store_.lifetimes(user_id, type, ids);
}
void WatchedMemory::remove_expired() { store_.remove_expired(); }

MemoryStore::MemoryStore(MemoryStoreOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}
MemoryStore::~MemoryStore() = default;

Result<std::optional<Session>> MemoryStore::get(const SessionKey& key) { return implementation_->calls().get(key); }
Result<std::vector<std::optional<Session>>> MemoryStore::get_many(std::span<const SessionKey> keys) {
  return implementation_->calls().get_many(keys);
}
std::expected<Upserted, UpsertError> MemoryStore::upsert(Session& session) {
  return implementation_->calls().upsert(session);
}
std::expected<void, UpsertError> MemoryStore::rotate_id(Session& session) {
  return implementation_->calls().rotate_id(session);
}
Result<Deleted> MemoryStore::delete_one(const SessionKey& key) { return implementation_->calls().delete_one(key); }
Result<std::vector<Session>> MemoryStore::get_all(std::string_view user_id, std::string_view type) {
  return implementation_->calls().get_all(user_id, type);
}
Result<Deleted> MemoryStore::delete_all(std::string_view user_id, std::string_view type) {
  return implementation_->calls().delete_all(user_id, type);
}
Result<Deleted> MemoryStore::delete_all(std::string_view user_id, std::span<const std::string> types) {
  return implementation_->calls().delete_all(user_id, types);
}
Result<Deleted> MemoryStore::delete_others(const SessionKey& keep) {
  return implementation_->calls().delete_others(keep);
}

}}  // namespace obol::v0
