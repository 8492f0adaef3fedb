// The conformance suites on RedisStore, on both kinds of server, with functions and with scripts.
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

template <ServerKind kind, FunctionLoading functions = FunctionLoading::load_at_connect>
struct RedisPolicyFactory {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy) {
    auto options = options_for(server);
    options.policy = policy;
    options.functions = functions;
    return std::make_unique<RedisStore>(RedisStore::connect(options).value());
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy) { return make_store(policy); }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, PolicyConformance, RedisPolicyFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(Valkey, PolicyConformance, RedisPolicyFactory<ServerKind::valkey>);

template <ServerKind kind, FunctionLoading functions = FunctionLoading::load_at_connect>
struct RedisStoreFactory {
  std::unique_ptr<SessionStore> make_store() {
    auto options = options_for(server);
    options.functions = functions;
    return std::make_unique<RedisStore>(RedisStore::connect(options).value());
  }
  std::unique_ptr<SessionStore> make_second_store() { return make_store(); }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, StoreConformance, RedisStoreFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(Valkey, StoreConformance, RedisStoreFactory<ServerKind::valkey>);

using RedisScriptsPolicy = RedisPolicyFactory<ServerKind::redis, FunctionLoading::scripts>;
using ValkeyScriptsPolicy = RedisPolicyFactory<ServerKind::valkey, FunctionLoading::scripts>;
using RedisScripts = RedisStoreFactory<ServerKind::redis, FunctionLoading::scripts>;
using ValkeyScripts = RedisStoreFactory<ServerKind::valkey, FunctionLoading::scripts>;
INSTANTIATE_TYPED_TEST_SUITE_P(RedisScripts, PolicyConformance, RedisScriptsPolicy);
INSTANTIATE_TYPED_TEST_SUITE_P(ValkeyScripts, PolicyConformance, ValkeyScriptsPolicy);
INSTANTIATE_TYPED_TEST_SUITE_P(RedisScripts, StoreConformance, RedisScripts);
INSTANTIATE_TYPED_TEST_SUITE_P(ValkeyScripts, StoreConformance, ValkeyScripts);

}  // namespace obol::testing
