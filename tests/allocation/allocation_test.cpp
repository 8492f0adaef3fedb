// No memory: a call that finds none throws std::bad_alloc, and no other call, no connection and no thread suffers for
// it.
#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "failing_allocation.hpp"
#include "obol/session_id.hpp"
#include "support/replicated_server.hpp"
#include "support/server_test.hpp"
#include "support/store_calls.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

class NoMemory : public ServerTest {
 protected:
  /// With one connection, a slot that leaks is the end of all calls.
  RedisStoreOptions options() const {
    auto options = options_for(server, std::make_shared<Observer>());
    options.pool.size = 1;
    options.pool.max_overflow = 0;
    return options;
  }

  /// That the store serves as if nothing had happened.
  static void expect_well(RedisStore& store) {
    const SessionKey absent{.user_id = "nobody", .id = "absent"};
    const auto found = store.get(absent);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    const auto pool = store.pool_statistics();
    EXPECT_EQ(pool.used, 0U);
    EXPECT_EQ(pool.waiting, 0U);
    EXPECT_EQ(pool.idle, 1U);
  }

  /// For a call that changes nothing.
  void expect_harmless(const RedisStoreOptions& options, const std::function<void(RedisStore&)>& call) {
    auto store = connected(options);
    auto session = new_session();
    ASSERT_TRUE(store.upsert(session).has_value());
    for (const auto failing : {Failing::once, Failing::from_then_on}) {
      fail_each(failing, [] {}, [&] { call(store); }, [&](bool) { expect_well(store); });
    }
    EXPECT_EQ(store.get(session.key()).value(), session);
  }

  enum class Before { stored, not_stored };

  /// For a call that changes a session; if it does not work, the session stays as it was.
  void expect_harmless(const RedisStoreOptions& options,
                       const std::function<void(RedisStore&, Session&, bool& has_worked)>& call,
                       Before before_call = Before::stored) {
    auto store = connected(options);
    Session before;
    Session session;
    bool has_worked = false;
    const auto prepare = [&] {
      has_worked = false;
      ASSERT_TRUE(store.delete_all("user", "full").has_value());
      session = new_session();
      if (before_call == Before::stored) {
        ASSERT_TRUE(store.upsert(session).has_value());
      }
      before = session;
    };
    const auto check = [&](bool) {
      expect_well(store);
      if (!has_worked) {
        EXPECT_EQ(session, before);
      }
    };
    for (const auto failing : {Failing::once, Failing::from_then_on}) {
      fail_each(failing, prepare, [&] { call(store, session, has_worked); }, check);
    }
  }
};

TEST_P(NoMemory, ForAReadHurtsNobody) {
  expect_harmless(options(), [key = new_session().key()](RedisStore& store) { (void)store.get(key); });
}

TEST_P(NoMemory, ForAReadOfManyHurtsNobody) {
  const std::vector<SessionKey> keys(5, new_session().key());
  expect_harmless(options(), [keys](RedisStore& store) { (void)store.get_many(keys); });
}

TEST_P(NoMemory, ForAReadOfAllHurtsNobody) {
  expect_harmless(options(), [](RedisStore& store) { (void)store.get_all("user", "full"); });
}

TEST_P(NoMemory, ForADiagnosisHurtsNobody) {
  expect_harmless(options(), [](RedisStore& store) { (void)store.diagnose(); });
}

TEST_P(NoMemory, ForAnotherKeyringHurtsNobody) {
  const auto keyring = options().keyring;
  expect_harmless(options(), [keyring](RedisStore& store) { (void)store.replace_keyring(keyring); });
}

TEST_P(NoMemory, ForAnUpdateHurtsNobody) {
  expect_harmless(options(), [](RedisStore& store, Session& session, bool& has_worked) {
    has_worked = store.upsert(session).has_value();
  });
}

TEST_P(NoMemory, ForACreateHurtsNobody) {
  const auto create = [](RedisStore& store, Session& session, bool& has_worked) {
    has_worked = store.upsert(session).has_value();
  };
  expect_harmless(options(), create, Before::not_stored);
  auto managed = options();
  managed.policy = {.max_sessions = 3};
  expect_harmless(managed, create, Before::not_stored);
}

TEST_P(NoMemory, ForARotationHurtsNobody) {
  expect_harmless(options(), [](RedisStore& store, Session& session, bool& has_worked) {
    has_worked = store.rotate_id(session).has_value();
  });
}

TEST_P(NoMemory, ForADeleteHurtsNobody) {
  const auto delete_in_every_way = [](RedisStore& store, Session& session, bool&) {
    (void)store.delete_one(session.key());
    (void)store.delete_others(session.key());
    (void)store.delete_all(session.user_id, session.type);
    (void)store.delete_all(session.user_id, {session.type, "pending"});
  };
  expect_harmless(options(), delete_in_every_way);
}

TEST_P(NoMemory, ForADeleteThatWaitsForAReplicaHurtsNobody) {
  const ReplicatedServer replicated(GetParam());
  auto durable = options_for(replicated.primary, std::make_shared<Observer>());
  durable.pool.size = 1;
  durable.pool.max_overflow = 0;
  durable.delete_durability = {.replicas = 1, .timeout = milliseconds(5000)};
  expect_harmless(durable, [](RedisStore& store, Session& session, bool&) { (void)store.delete_one(session.key()); });
}

TEST_P(NoMemory, AtConnectLeavesNothingBehind) {
  auto store = connected(options());
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    std::optional<RedisStoreOptions> given;
    fail_each(
        failing, [&] { given = options(); }, [&] { (void)RedisStore::connect(std::move(*given)); },
        [&](bool) { expect_well(store); });
  }
}

TEST_P(NoMemory, ForConnectingAnewHurtsNobody) {
  auto store = connected(options());
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    fail_each(
        failing, [&] { server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}); },
        [&] { (void)store.get(new_session().key()); }, [&](bool) { expect_well(store); });
  }
}

TEST_P(NoMemory, IsNeededByNobodyToCloseAndDestroyAStore) {
  auto store = std::make_optional(connected(options()));
  const FailingAllocation allocation(0, Failing::from_then_on);
  store->close();
  store.reset();
}

// Each thread has its own trouble, and in between calls that must not notice that of the others.
TEST_P(NoMemory, InOneThreadIsNotNoticedByAnother) {
  auto store = connected(options());
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  std::vector<std::jthread> threads;
  for (unsigned seed = 0; seed < 8; ++seed) {
    threads.emplace_back([&, seed] {
      std::minstd_rand random(seed + 1);
      for (int i = 0; i < 200; ++i) {
        try {
          const FailingAllocation allocation(random() % 40, i % 2 == 0 ? Failing::once : Failing::from_then_on);
          if (const auto found = store.get(session.key())) {
            EXPECT_EQ(*found, session);
          }
        } catch (const std::bad_alloc&) {
        }
        const auto found = store.get(session.key());
        ASSERT_TRUE(found.has_value()) << found.error().message;
        ASSERT_EQ(*found, session);
      }
    });
  }
  threads.clear();
  expect_well(store);
}

OBOL_ON_BOTH_SERVERS(NoMemory);

class Memory : public ServerTest {};

TEST_P(Memory, OfLargeCommandsAndRepliesIsGivenBack) {
  constexpr std::size_t large = 1'000'000;
  auto options = options_for(server);
  options.pool.size = 2;
  options.pool.max_overflow = 0;
  auto store = connected(options);
  const auto before = allocated_bytes();
  std::vector<std::jthread> threads;
  for (int user = 0; user < 8; ++user) {
    threads.emplace_back([&store, name = std::to_string(user)] {
      for (int i = 0; i < 4; ++i) {
        auto session = new_session(name, std::to_string(i));
        session.extra_payload = std::string(large, 'x');
        ASSERT_TRUE(store.upsert(session).has_value());
      }
      ASSERT_EQ(store.get_all(name, "full").value().size(), 4U);
    });
  }
  threads.clear();
  EXPECT_LT(allocated_bytes(), before + large);
}

// For the reply, for its bytes, and for each string of the session that is too long to stand in place.
TEST_P(Memory, IsAllocatedSixTimesForAGet) {
  auto store = connected(options_for(server));
  auto session = new_session("00000000-0000-4000-8000-000000000001", generate_session_id().value());
  session.refresh_token_id = generate_session_id().value();
  session.extra_payload = std::string(300, 'x');
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto key = session.key();
  std::size_t fewest = most_allocations;
  // Now and then a call also asks for the server's role, or a buffer grows.
  for (int call = 0; call < 20; ++call) {
    const FailingAllocation counting(most_allocations, Failing::once);
    const auto found = store.get(key);
    fewest = std::min(fewest, counting.count());
    ASSERT_EQ(found.value(), session);
  }
  EXPECT_LE(fewest, 6U);
}

OBOL_ON_BOTH_SERVERS(Memory);

}}  // namespace obol::testing
