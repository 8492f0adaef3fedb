// What SessionWatch promises over every store.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "obol/memory_store.hpp"
#include "obol/session_watch.hpp"
#include "support/sessions.hpp"
#include "support/test_server.hpp"
#include "support/watch_events.hpp"

namespace obol::testing { namespace {

enum class Watched { redis, valkey, memory };

/// Counts posts, and runs what is posted in a thread of its own.
class ThreadExecutor final : public Executor {
 public:
  ~ThreadExecutor() override {
    for (auto& thread : threads_) thread.join();
  }
  void post(Completions ready) noexcept override {
    threads_.emplace_back([all = std::move(ready)]() mutable { all.run(); });
  }

 private:
  std::vector<std::thread> threads_;
};

class SessionWatchConformance : public ::testing::TestWithParam<Watched> {
 protected:
  SessionWatchConformance() {
    if (GetParam() == Watched::memory) return;
    server.emplace(GetParam() == Watched::redis ? ServerKind::redis : ServerKind::valkey);
  }

  std::unique_ptr<SessionStore> store_with(const SessionPolicy& policy = {}) {
    if (!server) {
      auto store = std::make_unique<MemoryStore>(MemoryStoreOptions{.policy = policy});
      memory = store.get();
      return store;
    }
    auto options = options_for(*server);
    options.policy = policy;
    return std::make_unique<RedisStore>(RedisStore::connect(options).value());
  }

  SessionWatch watch_with(SessionWatchOptions options = {}) {
    options.max_staleness = std::chrono::seconds(60);
    return server ? SessionWatch::connect(options_for(*server), options).value()
                  : SessionWatch::over(*memory, options).value();
  }

  static Session stored(SessionStore& store, std::string id = "session", std::string user = "user") {
    auto session = new_session(std::move(user), std::move(id));
    EXPECT_TRUE(store.upsert(session).has_value());
    return session;
  }

  /// Until the session has been found.
  static void await_read(const SessionWatch& watch, std::uint64_t reads = 1) {
    await("a watched hash to be read", [&] { return watch.statistics().reads >= reads; });
  }

  std::optional<TestServer> server;
  MemoryStore* memory = nullptr;
  WatchEvents events;
};

TEST_P(SessionWatchConformance, TellsOfADelete) {
  const auto store = store_with();
  const auto session = stored(*store);
  auto watch = watch_with();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  EXPECT_EQ(events.await(), removed_event);
}

TEST_P(SessionWatchConformance, TellsOfASessionThatIsNotStored) {
  const auto store = store_with();
  auto watch = watch_with();
  const auto handle = watch.watch(new_session().key(), events.handler()).value();
  EXPECT_EQ(events.await(), removed_event);
}

TEST_P(SessionWatchConformance, TellsEachWatchOfASession) {
  const auto store = store_with();
  const auto session = stored(*store);
  auto watch = watch_with();
  const WatchEvents others;
  const auto handle = watch.watch(session.key(), events.handler()).value();
  const auto other = watch.watch(session.key(), others.handler()).value();
  await_read(watch);
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  EXPECT_EQ(events.await(), removed_event);
  EXPECT_EQ(others.await(), removed_event);
}

TEST_P(SessionWatchConformance, TellsOfADeleteOfAll) {
  const auto store = store_with({.revocation_mark_lifetime = std::chrono::seconds(60)});
  const auto one = stored(*store, "one");
  const auto two = stored(*store, "two");
  const auto stranger = stored(*store, "one", "stranger");
  auto watch = watch_with();
  const WatchEvents second;
  const WatchEvents third;
  const auto first_handle = watch.watch(one.key(), events.handler()).value();
  const auto second_handle = watch.watch(two.key(), second.handler()).value();
  const auto third_handle = watch.watch(stranger.key(), third.handler()).value();
  await_read(watch, 2);
  ASSERT_TRUE(store->delete_all("user", {"full", "pending"}).has_value());
  EXPECT_EQ(events.await(), removed_event);
  EXPECT_EQ(second.await(), removed_event);
  EXPECT_EQ(third.count(), 0U);
  EXPECT_EQ(watch.statistics().watched, 1U);
}

TEST_P(SessionWatchConformance, TellsAllButTheOneThatIsKept) {
  const auto store = store_with({.revocation_mark_lifetime = std::chrono::seconds(60), .mark_on_delete_others = true});
  const auto kept = stored(*store, "kept");
  const auto other = stored(*store, "other");
  auto watch = watch_with();
  const WatchEvents of_kept;
  const auto kept_handle = watch.watch(kept.key(), of_kept.handler()).value();
  const auto other_handle = watch.watch(other.key(), events.handler()).value();
  await_read(watch);
  ASSERT_TRUE(store->delete_others(kept.key()).has_value());
  EXPECT_EQ(events.await(), removed_event);
  ASSERT_TRUE(store->delete_one(kept.key()).has_value());
  EXPECT_EQ(of_kept.await(), removed_event);
  EXPECT_EQ(of_kept.count(), 1U);
}

TEST_P(SessionWatchConformance, TellsOfAnEviction) {
  const auto store = store_with({.max_sessions = 1});
  const auto session = stored(*store, "first");
  auto watch = watch_with();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  stored(*store, "second");
  EXPECT_EQ(events.await(), removed_event);
}

TEST_P(SessionWatchConformance, TellsTheOldIdOfARotation) {
  const auto store = store_with();
  auto session = stored(*store);
  auto watch = watch_with();
  const WatchEvents of_new;
  const auto old_handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  ASSERT_TRUE(store->rotate_id(session).has_value());
  const auto new_handle = watch.watch(session.key(), of_new.handler()).value();
  EXPECT_EQ(events.await(), removed_event);
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  EXPECT_EQ(of_new.await(), removed_event);
}

TEST_P(SessionWatchConformance, TellsOfExpiry) {
  const auto store = store_with();
  auto session = new_session();
  session.refresh_expires_at = now_in_seconds() + std::chrono::seconds(4);
  ASSERT_TRUE(store->upsert(session).has_value());
  auto watch = watch_with();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  EXPECT_EQ(events.await(), expired_event);
  EXPECT_GE(std::chrono::system_clock::now() + std::chrono::milliseconds(2), session.refresh_expires_at);
}

TEST_P(SessionWatchConformance, TellsNothingOfARefresh) {
  const auto store = store_with();
  auto session = stored(*store);
  auto watch = watch_with();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  ASSERT_TRUE(store->upsert(session).has_value());
  await_read(watch, 2);
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  EXPECT_EQ(events.await(), removed_event);
  EXPECT_EQ(events.count(), 1U);
}

TEST_P(SessionWatchConformance, KnowsARefreshedExpiry) {
  const auto store = store_with();
  auto session = new_session();
  session.refresh_expires_at = now_in_seconds() + std::chrono::seconds(4);
  ASSERT_TRUE(store->upsert(session).has_value());
  auto watch = watch_with();
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  session.refresh_expires_at += std::chrono::seconds(2);
  ASSERT_TRUE(store->upsert(session).has_value());
  EXPECT_EQ(events.await(), expired_event);
  EXPECT_GE(std::chrono::system_clock::now() + std::chrono::milliseconds(2), session.refresh_expires_at);
}

TEST_P(SessionWatchConformance, TellsNothingOnceTheHandleIsGone) {
  const auto store = store_with();
  const auto session = stored(*store);
  auto watch = watch_with();
  const WatchEvents others;
  const auto other = watch.watch(session.key(), others.handler()).value();
  {
    const auto handle = watch.watch(session.key(), events.handler()).value();
    await_read(watch);
  }
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  EXPECT_EQ(others.await(), removed_event);
  EXPECT_EQ(events.count(), 0U);
}

TEST_P(SessionWatchConformance, WaitsForAHandlerThatRuns) {
  const auto store = store_with();
  const auto session = stored(*store);
  ThreadExecutor executor;
  auto watch = watch_with({.executor = &executor});
  std::atomic<bool> has_begun = false;
  std::atomic<bool> may_end = false;
  std::atomic<bool> has_ended = false;
  std::optional<WatchHandle> handle = watch
                                          .watch(session.key(),
                                                 [&](const SessionWatchEvent&) {
                                                   has_begun = true;
                                                   has_begun.notify_all();
                                                   may_end.wait(false);
                                                   has_ended = true;
                                                 })
                                          .value();
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  has_begun.wait(false);
  std::thread helper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    may_end = true;
    may_end.notify_all();
  });
  handle.reset();
  EXPECT_TRUE(has_ended);
  helper.join();
}

TEST_P(SessionWatchConformance, LetsAHandlerEndItsOwnWatch) {
  const auto store = store_with();
  const auto session = stored(*store);
  auto watch = watch_with();
  std::atomic<bool> is_done = false;
  WatchHandle handle;
  handle = watch
               .watch(session.key(),
                      [&](const SessionWatchEvent&) {
                        handle.end();
                        is_done = true;
                      })
               .value();
  await_read(watch);
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  await("the handler to end", [&] { return is_done.load(); });
}

TEST_P(SessionWatchConformance, RunsHandlersOnTheirExecutor) {
  const auto store = store_with();
  const auto session = stored(*store);
  ThreadExecutor executor;
  auto watch = watch_with({.executor = &executor});
  const auto handle = watch.watch(session.key(), events.handler()).value();
  await_read(watch);
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  EXPECT_EQ(events.await(), removed_event);
}

TEST_P(SessionWatchConformance, RefusesBadArguments) {
  const auto store = store_with();
  auto watch = watch_with();
  EXPECT_EQ(watch.watch({.user_id = "", .id = "id"}, events.handler()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(watch.watch(new_session().key(), {}).error().code, ErrorCode::invalid_argument);
  watch.close();
  EXPECT_EQ(watch.watch(new_session().key(), events.handler()).error().code, ErrorCode::closed);
}

TEST_P(SessionWatchConformance, HandlesOutliveTheWatch) {
  const auto store = store_with();
  const auto session = stored(*store);
  WatchHandle handle;
  {
    auto watch = watch_with();
    handle = watch.watch(session.key(), events.handler()).value();
    await_read(watch);
  }
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  handle.end();
  EXPECT_EQ(events.count(), 0U);
}

TEST_P(SessionWatchConformance, AHandlerMayDestroyTheWatch) {
  const auto store = store_with();
  const auto session = stored(*store);
  std::atomic<bool> is_done = false;
  auto watch = std::make_unique<SessionWatch>(watch_with());
  const auto handle = watch
                          ->watch(session.key(),
                                  [&](const SessionWatchEvent&) {
                                    watch.reset();
                                    is_done = true;
                                  })
                          .value();
  ASSERT_TRUE(store->delete_one(session.key()).has_value());
  await("the watch to be destroyed", [&] { return is_done.load(); });
}

TEST_P(SessionWatchConformance, TellsEachOfManyEndsOnce) {
  constexpr std::size_t users = 100;
  constexpr std::size_t sessions = 100;
  const auto store = store_with();
  auto watch = watch_with();
  std::vector<std::atomic<int>> told(users * sessions);
  std::atomic<std::size_t> all = 0;
  std::vector<WatchHandle> handles;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto session = stored(*store, std::to_string(i % sessions), "user " + std::to_string(i / sessions));
    handles.push_back(watch
                          .watch(session.key(),
                                 [&told, &all, i](const SessionWatchEvent& event) {
                                   if (event == removed_event) ++told[i];
                                   ++all;
                                 })
                          .value());
  }
  await_read(watch, users);
  for (std::size_t user = 0; user < users; ++user) {
    const auto id = "user " + std::to_string(user);
    if (user % 2 == 0) {
      ASSERT_TRUE(store->delete_all(id, "full").has_value());
      continue;
    }
    for (std::size_t i = 0; i < sessions; ++i) {
      ASSERT_TRUE(store->delete_one({.user_id = id, .id = std::to_string(i)}).has_value());
    }
  }
  await("all ends", [&] { return all >= told.size(); });
  for (const auto& times : told) EXPECT_EQ(times, 1);
  EXPECT_EQ(watch.statistics().ended, told.size());
  EXPECT_EQ(watch.statistics().watched, 0U);
  EXPECT_EQ(watch.statistics().users, 0U);
}

INSTANTIATE_TEST_SUITE_P(On, SessionWatchConformance,
                         ::testing::Values(Watched::redis, Watched::valkey, Watched::memory),
                         [](const auto& parameter) {
                           switch (parameter.param) {
                             case Watched::redis:
                               return "Redis";
                             case Watched::valkey:
                               return "Valkey";
                             case Watched::memory:
                               break;
                           }
                           return "Memory";
                         });

}}  // namespace obol::testing
