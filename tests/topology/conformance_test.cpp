// The conformance suites on a RedisStore behind sentinels and on a cluster; and on an AsyncRedisStore also there, with
// TLS, with a near cache and with encryption. The processes serve all tests of this program, each under a key prefix of
// its own.
#include <atomic>
#include <memory>
#include <string>

#include "obol/async_redis_store.hpp"
#include "obol/testing/policy_conformance.hpp"
#include "obol/testing/store_conformance.hpp"
#include "support/blocking_facade.hpp"
#include "support/certificates.hpp"
#include "support/reserved_port.hpp"
#include "support/sessions.hpp"
#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing {
namespace {

template <ServerKind kind>
struct OnOneServer {
  static RedisStoreOptions options() {
    static const TestServer server(kind);
    return options_for(server);
  }
};

template <ServerKind kind>
struct WithTls {
  static RedisStoreOptions options() {
    static const Server server;
    return options_for(ConnectionOptions{.host = "127.0.0.1",
                                         .port = server.port.number(),
                                         .tls = {.enabled = true, .ca_file = server.authority.ca_file()}});
  }

 private:
  struct Server {
    std::vector<std::string> arguments() const {
      auto arguments = authority.server_arguments(authority.issue("server", "IP:127.0.0.1"));
      arguments.insert(arguments.end(), {"--tls-port", std::to_string(port.number()), "--bind", "127.0.0.1",
                                         "--tls-auth-clients", "no"});
      return arguments;
    }

    const Authority authority;
    const ReservedPort port;
    const TestServer server{kind, arguments()};
  };
};

template <ServerKind kind>
struct OnSentinel {
  static RedisStoreOptions options() {
    static const TestSentinel sentinel(kind, {.replicas = 1});
    return options_for(sentinel.connection());
  }
};

template <ServerKind kind>
struct OnCluster {
  static RedisStoreOptions options() {
    static const TestCluster cluster(kind, {.replicas_each = 0});
    return options_for(cluster.connection());
  }
};

template <class Place>
struct WithNearCache {
  static RedisStoreOptions options() {
    auto options = Place::options();
    options.near_cache.enabled = true;
    return options;
  }
};

template <class Place>
struct WithEncryption {
  static RedisStoreOptions options() {
    auto options = Place::options();
    options.encryption = Encryption::require;
    return options;
  }
};

std::atomic<int> factories = 0;

template <class Place>
struct Factory {
  RedisStoreOptions options(SessionPolicy policy) const {
    auto options = Place::options();
    options.key_prefix = prefix;
    options.policy = policy;
    return options;
  }
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy = {}) {
    return std::make_unique<RedisStore>(RedisStore::connect(options(policy)).value());
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy = {}) { return make_store(policy); }

  const std::string prefix = "test" + std::to_string(++factories) + "_";
};

template <class Place>
struct AsyncFactory : Factory<Place> {
  std::unique_ptr<SessionStore> make_store(SessionPolicy policy = {}) {
    auto store = std::make_unique<AsyncRedisStore>(AsyncRedisStore::connect(this->options(policy)).value());
    return std::make_unique<BlockingFacade<DrivenInBackground>>(std::move(store));
  }
  std::unique_ptr<SessionStore> make_second_store(SessionPolicy policy = {}) { return make_store(policy); }
};

}  // namespace

#define OBOL_CONFORMS(name, ...)                                       \
  INSTANTIATE_TYPED_TEST_SUITE_P(name, StoreConformance, __VA_ARGS__); \
  INSTANTIATE_TYPED_TEST_SUITE_P(name, PolicyConformance, __VA_ARGS__)

using enum ServerKind;
OBOL_CONFORMS(SentinelRedis, Factory<OnSentinel<redis>>);
OBOL_CONFORMS(SentinelValkey, Factory<OnSentinel<valkey>>);
OBOL_CONFORMS(ClusterRedis, Factory<OnCluster<redis>>);
OBOL_CONFORMS(ClusterValkey, Factory<OnCluster<valkey>>);

OBOL_CONFORMS(AsyncSentinelRedis, AsyncFactory<OnSentinel<redis>>);
OBOL_CONFORMS(AsyncSentinelValkey, AsyncFactory<OnSentinel<valkey>>);
OBOL_CONFORMS(AsyncClusterRedis, AsyncFactory<OnCluster<redis>>);
OBOL_CONFORMS(AsyncClusterValkey, AsyncFactory<OnCluster<valkey>>);
OBOL_CONFORMS(AsyncTls, AsyncFactory<WithTls<redis>>);
OBOL_CONFORMS(AsyncNearCache, AsyncFactory<WithNearCache<OnOneServer<valkey>>>);
OBOL_CONFORMS(AsyncEncryption, AsyncFactory<WithEncryption<OnOneServer<valkey>>>);

}  // namespace obol::testing
