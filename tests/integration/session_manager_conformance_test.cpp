// The conformance suite of session managers on RedisStore and AsyncRedisStore, on both kinds of server.
#include "obol/testing/session_manager_conformance.hpp"

#include <memory>

#include "obol/async_redis_store.hpp"
#include "obol/redis_store.hpp"
#include "support/managers.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

namespace {

RedisStoreOptions options_for_manager(const TestServer& server, const SessionManagerOptions& manager_options) {
  auto options = options_for(server);
  options.policy = policy_of_managers;
  options.clock = manager_options.clock;
  return options;
}

}  // namespace

template <ServerKind kind>
struct RedisManagerFactory {
  std::unique_ptr<SessionManager> make_manager(SessionManagerOptions options) {
    auto store = RedisStore::connect(options_for_manager(server, options)).value();
    return testing::make_manager(std::make_shared<RedisStore>(std::move(store)), std::move(options));
  }
  TestServer server{kind};
};

template <ServerKind kind, class Driving>
struct AsyncRedisManagerFactory {
  std::unique_ptr<ManagerFacade<Driving>> make_manager(SessionManagerOptions options) {
    auto store = AsyncRedisStore::connect(options_for_manager(server, options)).value();
    return testing::make_manager<Driving>(std::make_shared<AsyncRedisStore>(std::move(store)), std::move(options));
  }
  TestServer server{kind};
};
using ManagedRedisByHand = AsyncRedisManagerFactory<ServerKind::redis, DrivenByHand>;
using ManagedRedisInBackground = AsyncRedisManagerFactory<ServerKind::redis, DrivenInBackground>;
using ManagedValkeyByHand = AsyncRedisManagerFactory<ServerKind::valkey, DrivenByHand>;
using ManagedValkeyInBackground = AsyncRedisManagerFactory<ServerKind::valkey, DrivenInBackground>;

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, SessionManagerConformance, RedisManagerFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(Valkey, SessionManagerConformance, RedisManagerFactory<ServerKind::valkey>);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisByHand, SessionManagerConformance, ManagedRedisByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncRedisInBackground, SessionManagerConformance, ManagedRedisInBackground);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyByHand, SessionManagerConformance, ManagedValkeyByHand);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncValkeyInBackground, SessionManagerConformance, ManagedValkeyInBackground);

}  // namespace obol::testing
