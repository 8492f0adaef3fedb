// Memory of asynchronous calls: a call that finds none fails, and no other call, no connection and no thread suffers
// for it.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "failing_allocation.hpp"
#include "obol/session_id.hpp"
#include "support/async_calls.hpp"
#include "support/descriptors.hpp"
#include "support/replicated_server.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using Found = Result<std::optional<Session>>;

/// Without memory of its own.
void drive_once(AsyncRedisStore& store) {
  pollfd watched{.fd = store.descriptor(), .events = POLLIN, .revents = 0};
  if (::poll(&watched, 1, 10) == 1) store.run_ready();
}

class AsyncNoMemory : public ServerTest {
 protected:
  using Begin = std::function<void(const Session&, bool& is_told)>;

  /// For a call that is made on a stored session.
  void expect_harmless(const Begin& begin) {
    Session session;
    bool has_begun = false;
    bool is_told = false;
    const auto prepare = [&] {
      has_begun = is_told = false;
      ASSERT_TRUE(outcome_of(store, store.delete_all("user", "full")));
      session = outcome_of(store, store.upsert(new_session())).value().session;
    };
    const auto call = [&] {
      begin(session, is_told);
      has_begun = true;
      for (int round = 0; round < 10 && !is_told; ++round) drive_once(store);
    };
    const auto check = [&](bool) {
      if (has_begun) drive_until(store, "the outcome", [&] { return is_told; });
      expect_well();
    };
    for (const auto failing : {Failing::once, Failing::from_then_on}) fail_each(failing, prepare, call, check);
  }

  /// For what makes a store and destroys it.
  void expect_nothing_left_behind(const std::function<void()>& prepare, const std::function<void()>& make) {
    expect_well();
    const auto before = open_descriptors();
    const auto check = [&](bool) {
      expect_well();
      ASSERT_EQ(open_descriptors(), before);
    };
    for (const auto failing : {Failing::once, Failing::from_then_on}) fail_each(failing, prepare, make, check);
  }

  /// That the store serves as if nothing had happened.
  void expect_well() {
    EXPECT_EQ(outcome_of(store, store.get({.user_id = "nobody", .id = "absent"})).value(), std::nullopt);
  }

  /// A handler that needs no memory.
  static auto told(bool& is_told) {
    return [&is_told](const auto&) { is_told = true; };
  }

  RedisStoreOptions options() const { return options_for(server, std::make_shared<Observer>()); }

  AsyncRedisStore store = async_connected(options());
};

TEST_P(AsyncNoMemory, ForAReadHurtsNobody) {
  expect_harmless([&](const Session& session, bool& is_told) { store.get(session.key()).start(told(is_told)); });
}

TEST_P(AsyncNoMemory, ForAReadOfManyHurtsNobody) {
  expect_harmless([&](const Session& session, bool& is_told) {
    store.get_many({session.key(), session.key()}).start(told(is_told));
  });
}

TEST_P(AsyncNoMemory, ForAReadOfAllHurtsNobody) {
  expect_harmless([&](const Session&, bool& is_told) { store.get_all("user", "full").start(told(is_told)); });
}

TEST_P(AsyncNoMemory, ForAWriteHurtsNobody) {
  expect_harmless([&](const Session& session, bool& is_told) { store.upsert(session).start(told(is_told)); });
  expect_harmless(
      [&](const Session&, bool& is_told) { store.upsert(new_session("user", "new")).start(told(is_told)); });
  expect_harmless([&](const Session& session, bool& is_told) { store.rotate_id(session).start(told(is_told)); });
}

TEST_P(AsyncNoMemory, ForADeleteHurtsNobody) {
  expect_harmless(
      [&](const Session& session, bool& is_told) { store.delete_others(session.key()).start(told(is_told)); });
  expect_harmless([&](const Session&, bool& is_told) {
    store.delete_all("user", {"full", "a type with a name that is not short"}).start(told(is_told));
  });
}

TEST_P(AsyncNoMemory, ForACreateUnderACapHurtsNobody) {
  auto managed = options();
  managed.policy = {.max_sessions = 3};
  store = async_connected(managed);
  expect_harmless(
      [&](const Session&, bool& is_told) { store.upsert(new_session("user", "new")).start(told(is_told)); });
}

TEST_P(AsyncNoMemory, ForCallsThatReplicasHaveAPartInHurtsNobody) {
  const ReplicatedServer replicated(GetParam());
  auto durable = options_for(replicated.primary, std::make_shared<Observer>());
  durable.delete_durability = {.replicas = 1, .timeout = std::chrono::milliseconds(5000)};
  durable.replica_reads = {.enabled = true, .max_lag = std::chrono::seconds(30)};
  store = async_connected(durable);
  expect_harmless([&](const Session& session, bool& is_told) { store.delete_one(session.key()).start(told(is_told)); });
  expect_harmless(
      [&](const Session& session, bool& is_told) { store.get_from_replica(session.key()).start(told(is_told)); });
  expect_harmless(
      [&](const Session&, bool& is_told) { store.get_all_from_replica("user", "full").start(told(is_told)); });
}

TEST_P(AsyncNoMemory, ForAnotherKeyringHurtsNobody) {
  const auto keyring = options().keyring;
  for (const auto failing : {Failing::once, Failing::from_then_on}) {
    fail_each(failing, [] {}, [&] { (void)store.replace_keyring(keyring); }, [&](bool) { expect_well(); });
  }
}

TEST_P(AsyncNoMemory, ForAnotherStoreLeavesNothingBehind) {
  expect_nothing_left_behind([] {}, [&] { (void)store.another(); });
}

TEST_P(AsyncNoMemory, AtConnectLeavesNothingBehind) {
  std::optional<RedisStoreOptions> given;
  expect_nothing_left_behind([&] { given = options(); }, [&] { (void)AsyncRedisStore::connect(std::move(*given)); });
}

TEST_P(AsyncNoMemory, ForADiagnosisHurtsNobody) {
  expect_harmless([&](const Session&, bool& is_told) { store.diagnose().start(told(is_told)); });
}

TEST_P(AsyncNoMemory, IsNeededByNobodyToDestroyAStore) {
  auto doomed = std::make_optional(store.another().value());
  bool is_told = false;
  doomed->get(new_session().key()).start(told(is_told));
  {
    const FailingAllocation allocation(0, Failing::from_then_on);
    doomed.reset();
  }
  EXPECT_TRUE(is_told);
}

OBOL_ON_BOTH_SERVERS(AsyncNoMemory);

class AsyncMemory : public ServerTest {};

/// Keeps the call once it has ended.
class Keeping final : public Receiver<Found> {
 public:
  bool is_told() const { return ended_ != nullptr; }
  const Found& outcome() const { return ended_->outcome; }

 private:
  void receive(std::unique_ptr<PendingCall<Found>> ended) override { ended_ = std::move(ended); }
  void drop() noexcept override {}

  std::unique_ptr<PendingCall<Found>> ended_;
};

// Once more than for a get that blocks: for the call.
TEST_P(AsyncMemory, IsAllocatedSevenTimesForAGetOfManyAtOnce) {
  constexpr std::size_t at_once = 32;
  // For the flight, not for each call.
  constexpr std::size_t marker = 2;
  auto store = async_connected(options_for(server));
  auto session = new_session("00000000-0000-4000-8000-000000000001", generate_session_id().value());
  session.refresh_token_id = generate_session_id().value();
  session.extra_payload = std::string(300, 'x');
  session = outcome_of(store, store.upsert(session)).value().session;
  std::size_t fewest = most_allocations;
  // Now and then a call also asks for the server's role, or a buffer grows.
  for (int round = 0; round < 20; ++round) {
    std::vector<SessionKey> keys(at_once, session.key());
    std::vector<Keeping> kept(at_once);
    const FailingAllocation counting(most_allocations, Failing::once);
    for (std::size_t i = 0; i < at_once; ++i) {
      ASSERT_FALSE(store.get(std::move(keys[i])).release().release()->begin(kept[i]));
    }
    for (const auto& one : kept) {
      while (!one.is_told()) drive_once(store);
    }
    fewest = std::min(fewest, counting.count());
    for (const auto& one : kept) ASSERT_EQ(one.outcome().value(), session);
  }
  EXPECT_LE(fewest, 7 * at_once + marker);
}

OBOL_ON_BOTH_SERVERS(AsyncMemory);

}}  // namespace obol::testing
