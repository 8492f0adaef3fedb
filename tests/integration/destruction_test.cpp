// A store that is destroyed beside calls under way waits for their last access to it, whatever they do then.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/server_test.hpp"

namespace obol { namespace {

using testing::await;
using testing::new_session;
using testing::ServerTest;

/// Holds the thread that tells it the next thing, once it was armed, until it is let go.
class HoldingObserver final : public Observer {
 public:
  enum class Holds { any_event, calls_only };

  void arm(Holds what) {
    what_ = what;
    is_armed_ = true;
  }
  bool holds_one() const { return holds_one_; }
  void let_go() {
    may_go_ = true;
    may_go_.notify_all();
  }

  void on_call(const CallEvent&) noexcept override { hold(); }
  void on_created(const SessionEvent&) noexcept override { hold_event(); }
  void on_refreshed(const SessionEvent&) noexcept override { hold_event(); }
  void on_id_rotated(const SessionEvent&) noexcept override { hold_event(); }
  void on_deleted(const SessionEvent&) noexcept override { hold_event(); }
  void on_deleted_all(const DeletedAllEvent&) noexcept override { hold_event(); }

 private:
  void hold_event() {
    if (what_ == Holds::any_event) hold();
  }
  void hold() {
    if (!is_armed_.exchange(false)) return;
    holds_one_ = true;
    may_go_.wait(false);
  }

  std::atomic<Holds> what_{Holds::any_event};
  std::atomic<bool> is_armed_{false};
  std::atomic<bool> holds_one_{false};
  std::atomic<bool> may_go_{false};
};

struct NamedCall {
  std::string_view name;
  std::function<void(RedisStore&, Session)> make;  ///< With a session that is stored.
};

const std::array<NamedCall, 11>& every_call() {
  static const std::array<NamedCall, 11> calls{{
      {"get", [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.get(session.key())); }},
      {"get_from_replica",
       [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.get_from_replica(session.key())); }},
      {"get_many",
       [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.get_many(std::array{session.key()})); }},
      {"create",
       [](RedisStore& store, const Session&) {
         auto session = new_session("user", "another");
         EXPECT_TRUE(store.upsert(session));
       }},
      {"update", [](RedisStore& store, Session session) { EXPECT_TRUE(store.upsert(session)); }},
      {"rotate_id", [](RedisStore& store, Session session) { EXPECT_TRUE(store.rotate_id(session)); }},
      {"delete_one", [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.delete_one(session.key())); }},
      {"get_all",
       [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.get_all(session.user_id, "full")); }},
      {"get_all_from_replica",
       [](RedisStore& store, const Session& session) {
         EXPECT_TRUE(store.get_all_from_replica(session.user_id, "full"));
       }},
      {"delete_all",
       [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.delete_all(session.user_id, "full")); }},
      {"delete_others",
       [](RedisStore& store, const Session& session) { EXPECT_TRUE(store.delete_others(session.key())); }},
  }};
  return calls;
}

class DestructionTest : public ServerTest {
 protected:
  /// A store, and a word that is gone when it is.
  struct Doomed {
    std::unique_ptr<RedisStore> store;
    std::weak_ptr<int> is_there;
    StatisticsSource source;
    Session session = new_session();
  };

  Doomed doomed_store(std::shared_ptr<Observer> observer) {
    auto options = testing::options_for(server, std::move(observer));
    const auto token = std::make_shared<int>();
    options.clock = [token] { return std::chrono::system_clock::now(); };
    Doomed doomed{
        .store = std::make_unique<RedisStore>(RedisStore::connect(options).value()), .is_there = token, .source = {}};
    doomed.source = doomed.store->statistics_source();
    EXPECT_TRUE(doomed.store->delete_all("user", "full"));
    EXPECT_TRUE(doomed.store->upsert(doomed.session));
    return doomed;
  }

  static void await_the_destructor(const Doomed& doomed) {
    await("the destructor to begin", [&] { return !doomed.source(); });
  }

  /// Long enough for a destructor that does not wait.
  static bool is_gone_soon(const Doomed& doomed) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(40);
    while (std::chrono::steady_clock::now() < give_up) {
      if (doomed.is_there.expired()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  void expect_wait_for(const NamedCall& call, HoldingObserver::Holds what) {
    const auto observer = std::make_shared<HoldingObserver>();
    auto doomed = doomed_store(observer);
    auto* const store = doomed.store.get();
    observer->arm(what);
    const std::jthread caller([&] { call.make(*store, doomed.session); });
    await("the call to be told of", [&] { return observer->holds_one(); });
    std::jthread destroyer([&] { doomed.store.reset(); });
    await_the_destructor(doomed);
    EXPECT_FALSE(is_gone_soon(doomed)) << call.name;
    observer->let_go();
    destroyer.join();
    EXPECT_TRUE(doomed.is_there.expired());
  }
};
OBOL_ON_BOTH_SERVERS(DestructionTest);

TEST_P(DestructionTest, WaitsUntilTheObserverHasBeenToldOfWhatWasDone) {
  for (const auto& call : every_call()) expect_wait_for(call, HoldingObserver::Holds::any_event);
}

TEST_P(DestructionTest, WaitsUntilTheObserverHasBeenToldOfTheCall) {
  for (const auto& call : every_call()) expect_wait_for(call, HoldingObserver::Holds::calls_only);
}

TEST_P(DestructionTest, WaitsForACallWhoseAnswerIsOnItsWay) {
  std::vector<NamedCall> calls(every_call().begin(), every_call().end());
  calls.push_back({"diagnose", [](RedisStore& store, const Session&) { EXPECT_TRUE(store.diagnose()); }});
  for (const auto& call : calls) {
    auto doomed = doomed_store(nullptr);
    auto* const store = doomed.store.get();
    server.signal(SIGSTOP);
    const std::jthread caller([&] { call.make(*store, doomed.session); });
    await("the call to be under way", [&] { return store->pool_statistics().used == 1; });
    std::jthread destroyer([&] { doomed.store.reset(); });
    await_the_destructor(doomed);
    EXPECT_FALSE(is_gone_soon(doomed)) << call.name;
    server.signal(SIGCONT);
    destroyer.join();
    EXPECT_TRUE(doomed.is_there.expired()) << call.name;
  }
}

}}  // namespace obol
