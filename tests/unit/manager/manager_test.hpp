// Session managers, blocking and asynchronous, over a store in the test's hand: it counts calls and fails on demand.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/async_over.hpp"
#include "obol/memory_store.hpp"
#include "obol/testing/hand_clock.hpp"
#include "support/managers.hpp"
#include "support/recording_observer.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

/// Counts calls, fails them if told to, and does something just before a write if told to.
class TroubledMemory final : public SessionStore {
 public:
  explicit TroubledMemory(MemoryStoreOptions options) : store_(std::move(options)) {}

  Result<std::optional<Session>> get(const SessionKey& key) override {
    ++reads;
    if (is_down) return down();
    return store_.get(key);
  }
  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    if (auto error = before_write()) return std::unexpected(std::move(*error));
    return store_.upsert(session);
  }
  std::expected<void, UpsertError> rotate_id(Session& session) override {
    if (auto error = before_write()) return std::unexpected(std::move(*error));
    return store_.rotate_id(session);
  }
  Result<Deleted> delete_one(const SessionKey& key) override {
    ++deletes;
    if (is_down || deletes_fail) return down();
    return store_.delete_one(key);
  }
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    if (is_down) return down();
    return store_.get_all(user_id, type);
  }
  using SessionStore::delete_all;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    if (is_down) return down();
    return store_.delete_all(user_id, type);
  }
  Result<Deleted> delete_others(const SessionKey& keep) override {
    ++deletes;
    if (is_down) return down();
    return store_.delete_others(keep);
  }

  int calls() const { return reads + writes + deletes; }

  int reads = 0;
  int writes = 0;
  int deletes = 0;
  bool is_down = false;
  bool deletes_fail = false;
  std::function<void(SessionStore&)> just_before_a_write;

 private:
  static std::unexpected<Error> down() { return std::unexpected(Error{ErrorCode::unavailable, "no server"}); }

  std::optional<UpsertError> before_write() {
    ++writes;
    if (is_down) return UpsertError{{ErrorCode::unavailable, "no server"}};
    // A copy, since it may replace itself.
    if (const auto action = just_before_a_write) action(store_);
    return std::nullopt;
  }

  MemoryStore store_;
};

struct BlockingKind {
  using Manager = SessionManager;
  static Result<std::unique_ptr<Manager>> create(std::shared_ptr<SessionStore> store, SessionManagerOptions options) {
    auto manager = SessionManager::create(std::move(store), std::move(options));
    if (!manager) return std::unexpected(std::move(manager.error()));
    return std::make_unique<Manager>(std::move(*manager));
  }
};

struct AsyncKind {
  using Manager = ManagerFacade<DrivenByHand>;
  static Result<std::unique_ptr<Manager>> create(std::shared_ptr<TroubledMemory> store, SessionManagerOptions options) {
    return Manager::create(std::make_shared<AsyncOver<TroubledMemory>>(std::move(store)), std::move(options));
  }
};

using ManagerKinds = ::testing::Types<BlockingKind, AsyncKind>;

template <class Kind>
class ManagerTest : public ::testing::Test {
 protected:
  SessionManagerOptions options() const {
    return {.keyring = Keyring(signing_key()), .observer = observer, .clock = hand.clock()};
  }
  auto managing(SessionManagerOptions options) const { return Kind::create(store, std::move(options)).value(); }

  LoggedIn log_in(std::string payload = "payload") {
    return manager->log_in("user", std::move(payload), hand.now()).value();
  }
  std::optional<LoggedIn> refresh(const LoggedIn& login, const PayloadChange& change = {}) {
    return manager->refresh(login.tokens.refresh, change).value();
  }
  bool is_in(const LoggedIn& login) { return manager->authenticate(login.tokens.access).value().has_value(); }

  /// Another host adds this to the payload just before the next write.
  void add_before_a_write(const LoggedIn& login, char added) {
    store->just_before_a_write = [this, key = login.session.key(), added](SessionStore& inner) {
      store->just_before_a_write = nullptr;
      auto session = inner.get(key).value().value();
      session.extra_payload += added;
      ASSERT_TRUE(inner.upsert(session).has_value());
    };
  }

  const HandClock hand;
  const std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  const std::shared_ptr<TroubledMemory> store =
      std::make_shared<TroubledMemory>(MemoryStoreOptions{.clock = hand.clock()});
  std::unique_ptr<typename Kind::Manager> manager = managing(options());
};

}  // namespace obol::testing
