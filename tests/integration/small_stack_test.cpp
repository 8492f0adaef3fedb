// Hosts with many threads give each a small stack.
#include <pthread.h>

#include <functional>
#include <utility>

#include "support/sanitizers.hpp"
#include "support/server_test.hpp"
#include "support/store_calls.hpp"
#include "support/tls_front.hpp"

namespace obol::testing { namespace {

constexpr std::size_t small_stack = std::size_t{64} * 1024;

/// Runs it in a thread with a small stack; a thread that needs more crashes.
void run_on_small_stack(std::function<void()> work) {
  pthread_attr_t attributes;
  ASSERT_EQ(::pthread_attr_init(&attributes), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&attributes, is_sanitized ? 16 * small_stack : small_stack), 0);
  pthread_t thread{};
  const auto run = [](void* given) -> void* {
    (*static_cast<std::function<void()>*>(given))();
    return nullptr;
  };
  ASSERT_EQ(::pthread_create(&thread, &attributes, run, &work), 0);
  ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
}

void make_each_call(RedisStore& store) {
  auto session = new_session();
  session.extra_payload.assign(200'000, 'x');
  EXPECT_TRUE(store.upsert(session).has_value());
  EXPECT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(store.get_many(std::vector{session.key()}).value().front(), session);
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
  EXPECT_EQ(store.get_from_replica(session.key()).value(), session);
  EXPECT_TRUE(store.rotate_id(session).has_value());
  EXPECT_TRUE(store.diagnose().has_value());
  EXPECT_TRUE(store.delete_others(session.key()).has_value());
  EXPECT_TRUE(store.delete_one(session.key()).has_value());
  EXPECT_TRUE(store.delete_all("user", "full").has_value());
}

class SmallStack : public ServerTest {
 protected:
  /// Connects there, too.
  void expect_room_for_every_call(const ConnectionOptions& connection) {
    run_on_small_stack([&] {
      auto options = options_for(connection);
      options.near_cache.enabled = true;
      options.encryption = Encryption::encrypt;
      auto store = RedisStore::connect(options);
      ASSERT_TRUE(store.has_value()) << store.error().message;
      make_each_call(*store);
    });
  }
};

TEST_P(SmallStack, HasRoomForEveryCall) { expect_room_for_every_call(server.connection()); }

TEST_P(SmallStack, HasRoomForEveryCallOverTls) {
  const TlsFront front(server.socket_path());
  expect_room_for_every_call(front.connection());
}

OBOL_ON_BOTH_SERVERS(SmallStack);

}}  // namespace obol::testing
