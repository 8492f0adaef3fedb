// A process that forks while its threads call a store: its children use, close and destroy the store, and neither they
// nor the parent's threads notice.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "obol/metrics/store_metrics.hpp"
#include "obol/session_id.hpp"
#include "support/certificates.hpp"
#include "support/child.hpp"
#include "support/reserved_port.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

enum class Wire { plain, tls };

class ForkTest : public ::testing::TestWithParam<std::tuple<ServerKind, Wire>> {
 protected:
  ForkTest() {
    auto arguments = authority_.server_arguments(authority_.issue("server", "IP:127.0.0.1"));
    arguments.insert(arguments.end(),
                     {"--tls-port", std::to_string(port_.number()), "--bind", "127.0.0.1", "--tls-auth-clients", "no"});
    server.emplace(std::get<ServerKind>(GetParam()), std::move(arguments));
    store = std::make_unique<RedisStore>(RedisStore::connect(options()).value());
    EXPECT_TRUE(store->upsert(stored));
  }

  RedisStoreOptions options() const {
    auto options = options_for(*server, metrics);
    if (std::get<Wire>(GetParam()) == Wire::tls) {
      options.connection = {
          .host = "127.0.0.1", .port = port_.number(), .tls = {.enabled = true, .ca_file = authority_.ca_file()}};
    }
    options.encryption = Encryption::require;
    return options;
  }

  /// Every kind of call; false if one gave what it must not.
  bool use(std::string user) const {
    auto session = new_session(std::move(user), generate_session_id().value());
    if (!store->upsert(session) || !store->upsert(session) || !store->rotate_id(session)) return false;
    const auto found = store->get(session.key());
    const auto all = store->get_all(session.user_id, "full");
    const auto some = store->get_many(std::array{session.key(), stored.key()});
    return found && *found == session && all && std::ranges::find(*all, session) != all->end() && some &&
           (*some)[1] == stored && store->delete_one(session.key()) && store->replace_keyring(Keyring(signing_key())) &&
           store->pool_statistics().maximum > 0 && store->statistics_source()();
  }

  bool use_close_and_destroy() {
    if (!use("child")) return false;
    store->close();
    const auto refused = store->get(stored.key());
    store.reset();
    return !refused && refused.error().code == ErrorCode::closed;
  }

  Authority authority_;
  ReservedPort port_;
  std::optional<TestServer> server;
  std::shared_ptr<StoreMetrics> metrics = std::make_shared<StoreMetrics>();
  Session stored = new_session();
  std::unique_ptr<RedisStore> store;
};
INSTANTIATE_TEST_SUITE_P(On, ForkTest,
                         ::testing::Combine(::testing::Values(ServerKind::redis, ServerKind::valkey),
                                            ::testing::Values(Wire::plain, Wire::tls)),
                         [](const auto& parameter) {
                           return name_of(std::get<ServerKind>(parameter.param)) +
                                  (std::get<Wire>(parameter.param) == Wire::tls ? "Tls" : "");
                         });

TEST_P(ForkTest, ChildrenUseCloseAndDestroyAStoreThatManyThreadsCall) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer's own locks may be held in the child";
  std::atomic<bool> is_ending{false};
  std::atomic<int> calls{0};
  std::atomic<int> failures{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 64; ++i) {
    threads.emplace_back([&, user = "thread " + std::to_string(i)] {
      while (!is_ending) {
        failures += use(user) ? 0 : 1;
        ++calls;
      }
    });
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(run_in_child([&] { return use_close_and_destroy(); }), "") << "fork " << i;
  const int calls_before = calls;
  await("the parent's threads to go on", [&] { return calls > calls_before + 64; });
  is_ending = true;
  threads.clear();
  EXPECT_EQ(failures, 0);
}

TEST_P(ForkTest, ChildrenOfAPreforkAllUseTheStoreMadeBefore) {
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(std::make_unique<Child>([&, user = "child " + std::to_string(i)] {
      for (int round = 0; round < 20; ++round) {
        if (!use(user)) return false;
      }
      store.reset();
      return true;
    }));
  }
  EXPECT_TRUE(use("parent"));
  for (const auto& child : children) EXPECT_EQ(child->await(), "");
  EXPECT_TRUE(use("parent"));
}

TEST_P(ForkTest, AChildOfAChildUsesTheStoreAndSoDoesEachParent) {
  EXPECT_EQ(run_in_child([&] {
              const bool is_well = use("child");
              return is_well && run_in_child([&] { return use_close_and_destroy(); }).empty() &&
                     use_close_and_destroy();
            }),
            "");
  EXPECT_TRUE(use("parent"));
}

TEST_P(ForkTest, AChildThatDestroysItsStoreUnusedLeavesTheParentsConnections) {
  const auto opened = store->pool_statistics().opened;
  EXPECT_EQ(run_in_child([&] {
              store.reset();
              return true;
            }),
            "");
  EXPECT_TRUE(use("parent"));
  EXPECT_EQ(store->pool_statistics().opened, opened);
}

}}  // namespace obol::testing
