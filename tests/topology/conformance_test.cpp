// The conformance suites on a RedisStore behind sentinels and on a cluster. The processes serve all tests of this
// program, each under a key prefix of its own.
#include <atomic>

#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/sessions.hpp"
#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing {
namespace {

template <ServerKind kind>
struct OnSentinel {
  static ConnectionOptions connection() {
    static const TestSentinel sentinel(kind, {.replicas = 1});
    return sentinel.connection();
  }
};

template <ServerKind kind>
struct OnCluster {
  static ConnectionOptions connection() {
    static const TestCluster cluster(kind, {.replicas_each = 0});
    return cluster.connection();
  }
};

std::atomic<int> factories = 0;

template <class Place>
struct Factory {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy = {}) {
    auto options = options_for(Place::connection());
    options.key_prefix = prefix;
    options.policy = policy;
    return std::make_unique<RedisStore>(RedisStore::connect(options).value());
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy = {}) { return make_store(policy); }

  const std::string prefix = "test" + std::to_string(++factories) + "_";
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(SentinelRedis, StoreConformance, Factory<OnSentinel<ServerKind::redis>>);
INSTANTIATE_TYPED_TEST_SUITE_P(SentinelRedis, PolicyConformance, Factory<OnSentinel<ServerKind::redis>>);
INSTANTIATE_TYPED_TEST_SUITE_P(SentinelValkey, StoreConformance, Factory<OnSentinel<ServerKind::valkey>>);
INSTANTIATE_TYPED_TEST_SUITE_P(SentinelValkey, PolicyConformance, Factory<OnSentinel<ServerKind::valkey>>);
INSTANTIATE_TYPED_TEST_SUITE_P(ClusterRedis, StoreConformance, Factory<OnCluster<ServerKind::redis>>);
INSTANTIATE_TYPED_TEST_SUITE_P(ClusterRedis, PolicyConformance, Factory<OnCluster<ServerKind::redis>>);
INSTANTIATE_TYPED_TEST_SUITE_P(ClusterValkey, StoreConformance, Factory<OnCluster<ServerKind::valkey>>);
INSTANTIATE_TYPED_TEST_SUITE_P(ClusterValkey, PolicyConformance, Factory<OnCluster<ServerKind::valkey>>);

}  // namespace obol::testing
