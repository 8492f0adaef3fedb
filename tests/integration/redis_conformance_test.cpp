// The conformance suite on RedisStore, on both kinds of server.
#include "obol/testing/store_conformance.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

template <ServerKind kind>
struct RedisStoreFactory {
  std::unique_ptr<SessionStore> make_store() { return std::make_unique<RedisStore>(store_on(server)); }
  std::unique_ptr<SessionStore> make_second_store() { return make_store(); }
  TestServer server{kind};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, StoreConformance, RedisStoreFactory<ServerKind::redis>);
INSTANTIATE_TYPED_TEST_SUITE_P(Valkey, StoreConformance, RedisStoreFactory<ServerKind::valkey>);

}  // namespace obol::testing
