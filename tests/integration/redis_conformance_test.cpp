// The conformance suites on RedisStore, on both kinds of server.
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

template <ServerKind kind>
struct RedisPolicyFactory {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy) {
    auto options = options_for(server);
    options.policy = policy;
    return std::make_unique<RedisStore>(RedisStore::connect(options).value());
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy) { return make_store(policy); }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, PolicyConformance, RedisPolicyFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(Valkey, PolicyConformance, RedisPolicyFactory<ServerKind::valkey>);

template <ServerKind kind>
struct RedisStoreFactory {
  std::unique_ptr<SessionStore> make_store() { return std::make_unique<RedisStore>(store_on(server)); }
  std::unique_ptr<SessionStore> make_second_store() { return make_store(); }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, StoreConformance, RedisStoreFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(Valkey, StoreConformance, RedisStoreFactory<ServerKind::valkey>);

}  // namespace obol::testing
