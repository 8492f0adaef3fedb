// The conformance suites on AsyncRedisStore, on both kinds of server: that for asynchronous stores, and the others
// through a facade that blocks, driven by a thread and by the callers themselves.
#include <memory>
#include <utility>

#include "obol/async_redis_store.hpp"
#include "obol/testing/async_store_conformance.hpp"
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/blocking_facade.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

template <ServerKind kind, FunctionLoading functions = FunctionLoading::load_at_connect>
struct AsyncRedisStoreFactory {
  std::unique_ptr<AsyncSessionStore> make_store() { return make_observed_store(nullptr); }
  std::unique_ptr<AsyncSessionStore> make_observed_store(std::shared_ptr<Observer> observer) {
    auto options = options_for(server, std::move(observer));
    options.functions = functions;
    return std::make_unique<AsyncRedisStore>(AsyncRedisStore::connect(std::move(options)).value());
  }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedis, AsyncStoreConformance, AsyncRedisStoreFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkey, AsyncStoreConformance, AsyncRedisStoreFactory<ServerKind::valkey>);

template <ServerKind kind, class Driving, FunctionLoading functions = FunctionLoading::load_at_connect>
struct FacadeFactory {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy = {}) {
    auto options = options_for(server);
    options.policy = policy;
    options.functions = functions;
    return std::make_unique<BlockingFacade<Driving>>(
        std::make_unique<AsyncRedisStore>(AsyncRedisStore::connect(std::move(options)).value()));
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy = {}) { return make_store(policy); }
  TestServer server{kind};
};
using RedisInBackground = FacadeFactory<ServerKind::redis, DrivenInBackground>;
using RedisByHand = FacadeFactory<ServerKind::redis, DrivenByHand>;
using ValkeyInBackground = FacadeFactory<ServerKind::valkey, DrivenInBackground>;
using ValkeyByHand = FacadeFactory<ServerKind::valkey, DrivenByHand>;

INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisInBackground, StoreConformance, RedisInBackground);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisInBackground, PolicyConformance, RedisInBackground);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisByHand, StoreConformance, RedisByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisByHand, PolicyConformance, RedisByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyInBackground, StoreConformance, ValkeyInBackground);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyInBackground, PolicyConformance, ValkeyInBackground);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyByHand, StoreConformance, ValkeyByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyByHand, PolicyConformance, ValkeyByHand);

using RedisScriptsAsync = AsyncRedisStoreFactory<ServerKind::redis, FunctionLoading::scripts>;
using ValkeyScriptsAsync = AsyncRedisStoreFactory<ServerKind::valkey, FunctionLoading::scripts>;
using RedisScriptsByHand = FacadeFactory<ServerKind::redis, DrivenByHand, FunctionLoading::scripts>;
using ValkeyScriptsInBackground = FacadeFactory<ServerKind::valkey, DrivenInBackground, FunctionLoading::scripts>;

INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisScripts, AsyncStoreConformance, RedisScriptsAsync);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyScripts, AsyncStoreConformance, ValkeyScriptsAsync);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisScriptsByHand, StoreConformance, RedisScriptsByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisScriptsByHand, PolicyConformance, RedisScriptsByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyScriptsInBackground, StoreConformance, ValkeyScriptsInBackground);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyScriptsInBackground, PolicyConformance, ValkeyScriptsInBackground);

}  // namespace obol::testing
