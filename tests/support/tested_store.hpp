// The stores that one suite runs on: a RedisStore, or an AsyncRedisStore that blocks its callers. With their fixture.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "obol/async_redis_store.hpp"
#include "obol/function_loading.hpp"
#include "obol/redis_store.hpp"
#include "support/blocking_facade.hpp"
#include "support/server_test.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

enum class StoreKind { blocking, async_in_background, async_by_hand };

/// What RedisStore and AsyncRedisStore offer in common, as calls that block.
class TestedStore final : public SessionStore {
  template <class Driving>
  using Facade = BlockingFacade<Driving, AsyncRedisStore>;
  using Any = std::variant<std::unique_ptr<RedisStore>, std::unique_ptr<Facade<DrivenInBackground>>,
                           std::unique_ptr<Facade<DrivenByHand>>>;

  static Any make(StoreKind kind, const RedisStoreOptions& options) {
    if (kind == StoreKind::blocking) return std::make_unique<RedisStore>(connected(options));
    auto store = std::make_unique<AsyncRedisStore>(connected<AsyncRedisStore>(options));
    if (kind == StoreKind::async_by_hand) return std::make_unique<Facade<DrivenByHand>>(std::move(store));
    return std::make_unique<Facade<DrivenInBackground>>(std::move(store));
  }

  template <class Call>
  decltype(auto) call(Call call) const {
    return std::visit([&](auto& store) { return call(*store); }, store_);
  }

 public:
  /// See connected(). The kind says whether it is asynchronous, and who drives it then.
  TestedStore(StoreKind kind, const RedisStoreOptions& options) : store_(make(kind, options)) {}

  Result<std::optional<Session>> get(const SessionKey& key) override {
    return call([&](auto& store) { return store.get(key); });
  }
  Result<std::vector<std::optional<Session>>> get_many(std::span<const SessionKey> keys) override {
    return call([&](auto& store) { return store.get_many(keys); });
  }
  std::expected<Upserted, UpsertError> upsert(Session& session) override {
    return call([&](auto& store) { return store.upsert(session); });
  }
  std::expected<void, UpsertError> rotate_id(Session& session) override {
    return call([&](auto& store) { return store.rotate_id(session); });
  }
  Result<Deleted> delete_one(const SessionKey& key) override {
    return call([&](auto& store) { return store.delete_one(key); });
  }
  Result<std::vector<Session>> get_all(std::string_view user_id, std::string_view type) override {
    return call([&](auto& store) { return store.get_all(user_id, type); });
  }
  using SessionStore::delete_all;
  Result<Deleted> delete_all(std::string_view user_id, std::string_view type) override {
    return call([&](auto& store) { return store.delete_all(user_id, type); });
  }
  Result<Deleted> delete_all(std::string_view user_id, std::span<const std::string> types) override {
    return call([&](auto& store) { return store.delete_all(user_id, types); });
  }
  Result<Deleted> delete_others(const SessionKey& keep) override {
    return call([&](auto& store) { return store.delete_others(keep); });
  }

  Result<std::optional<Session>> get_from_replica(const SessionKey& key) {
    return call([&](auto& store) { return store.get_from_replica(key); });
  }
  Result<std::vector<Session>> get_all_from_replica(std::string_view user_id, std::string_view type) {
    return call([&](auto& store) { return store.get_all_from_replica(user_id, type); });
  }
  Result<std::vector<Finding>> diagnose() {
    return call([](auto& store) { return store.diagnose(); });
  }
  PoolStatistics pool_statistics() const {
    return call([](auto& store) { return store.pool_statistics(); });
  }
  NearCacheStatistics near_cache_statistics() const {
    return call([](auto& store) { return store.near_cache_statistics(); });
  }
  Result<void> replace_keyring(Keyring keyring) {
    return call([&](auto& store) { return store.replace_keyring(std::move(keyring)); });
  }
  void close() {
    call([](auto& store) { store.close(); });
  }

 private:
  Any store_;
};

/// A test's parameter: the store, and its server.
struct StoreOnServer {
  ServerKind server = ServerKind::redis;
  StoreKind store = StoreKind::blocking;
  FunctionLoading functions = FunctionLoading::load_at_connect;

  bool uses_scripts() const { return functions == FunctionLoading::scripts; }
};

inline std::string name_of(const StoreOnServer& place) {
  auto name = name_of(place.server);
  if (place.store == StoreKind::async_by_hand) name += "_AsyncByHand";
  if (place.store == StoreKind::async_in_background) name += "_AsyncInBackground";
  if (place.uses_scripts()) name += "_Scripts";
  return name;
}

inline std::vector<StoreOnServer> blocking_stores() { return {{ServerKind::redis}, {ServerKind::valkey}}; }

/// Each kind of store at least once, and each kind of server for each of both stores.
inline std::vector<StoreOnServer> all_stores() {
  return {{ServerKind::redis},
          {ServerKind::valkey},
          {ServerKind::redis, StoreKind::async_by_hand},
          {ServerKind::valkey, StoreKind::async_in_background}};
}

/// For tests that take long.
inline std::vector<StoreOnServer> all_stores_once(StoreKind async = StoreKind::async_in_background) {
  return {{ServerKind::redis}, {ServerKind::valkey}, {ServerKind::valkey, async}};
}

/// With scripts in place of functions.
inline std::vector<StoreOnServer> script_stores() {
  auto stores = all_stores();
  for (auto& place : stores) place.functions = FunctionLoading::scripts;
  return stores;
}

/// For tests of what becomes of calls of functions: each form of them, once.
inline std::vector<StoreOnServer> stores_of_each_form() {
  auto stores = all_stores();
  stores.push_back({ServerKind::redis, StoreKind::blocking, FunctionLoading::scripts});
  stores.push_back({ServerKind::valkey, StoreKind::async_in_background, FunctionLoading::scripts});
  return stores;
}

/// Each test has a server of its own.
class TestedStoreTest : public ::testing::TestWithParam<StoreOnServer> {
 protected:
  TestedStore tested_store(RedisStoreOptions options) const {
    options.functions = GetParam().functions;
    return {GetParam().store, options};
  }

  /// The command that calls a function.
  std::string call_word() const { return GetParam().uses_scripts() ? "EVALSHA" : "FCALL"; }
  /// The command that loads functions.
  std::string loading_word() const { return GetParam().uses_scripts() ? "SCRIPT" : "FUNCTION"; }
  void lose_functions() const { server.command({loading_word(), "FLUSH"}); }

  TestServer server{GetParam().server};
};

}  // namespace obol::testing

/// Runs every TEST_P of a suite with the parameter StoreOnServer on these.
#define OBOL_ON_STORES(Suite, stores)                              \
  INSTANTIATE_TEST_SUITE_P(On, Suite, ::testing::ValuesIn(stores), \
                           [](const auto& parameter) { return obol::testing::name_of(parameter.param); })
