// AsyncOver: what a host sees of it besides the guarantees of every asynchronous store.
#include "obol/async_over.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "obol/memory_store.hpp"
#include "obol/testing/coroutine.hpp"
#include "obol/testing/queueing_executor.hpp"
#include "support/child.hpp"
#include "support/recording_observer.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

using Sessions = AsyncOver<MemoryStore>;
using Found = Result<std::optional<Session>>;

bool has_work(const Sessions& sessions) {
  pollfd watched{.fd = sessions.descriptor(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) == 1;
}

TEST(AsyncOver, RunsTheStoresFunctionWhenTheCallBegins) {
  Sessions sessions;
  const auto session = new_session();
  auto call = sessions.upsert(session);
  EXPECT_EQ(sessions.store().get(session.key()).value(), std::nullopt);
  std::move(call).start({});
  EXPECT_EQ(sessions.store().get(session.key()).value()->lock_version, 1U);
}

TEST(AsyncOver, MayShareItsStoreWithOthers) {
  const auto store = std::make_shared<MemoryStore>();
  Sessions first(store);
  AsyncOver second(store);
  const auto session = new_session();
  ASSERT_TRUE(first.upsert(session).wait().has_value());
  EXPECT_TRUE(second.get(session.key()).wait()->has_value());
  EXPECT_EQ(&first.store(), store.get());
}

TEST(AsyncOver, DoesNotSuspendACoroutine) {
  Sessions sessions;
  Found found;
  const auto coroutine = [](Sessions& store, Found& outcome) -> Coroutine {
    outcome = co_await store.get(new_session().key());
  }(sessions, found);
  EXPECT_TRUE(coroutine.done());
  EXPECT_EQ(found.value(), std::nullopt);
  EXPECT_FALSE(has_work(sessions));
}

/// Asks again and again, until a call fails.
void ask_without_end(Sessions& sessions, int& told) {
  sessions.get(new_session().key()).start([&](const Found& found) {
    ++told;
    if (found) ask_without_end(sessions, told);
  });
}

TEST(AsyncOver, DeliversWhatHandlersBeginInTheNextRound) {
  int told = 0;
  {
    Sessions sessions;
    ask_without_end(sessions, told);
    for (int round = 1; round <= 3; ++round) {
      EXPECT_TRUE(has_work(sessions));
      sessions.run_ready();
      EXPECT_EQ(told, round);
    }
  }
  EXPECT_EQ(told, 5) << "the destructor tells the one that waits, and the one that this begins and that fails";
}

TEST(AsyncOver, TellsItsStoresObserverInTheThreadThatBeginsTheCall) {
  const auto observer = std::make_shared<RecordingObserver>();
  AsyncOver sessions(std::make_shared<MemoryStore>(MemoryStoreOptions{.observer = observer}));
  sessions.get(new_session().key()).start({});
  EXPECT_EQ(observer->lines(), std::vector<std::string>{"call get absent"});
}

TEST(AsyncOver, EndsThoughAHandlerBeginsACallWheneverItIsTold) {
  constexpr int too_often = 1000;
  int times = 0;
  std::function<void()> begin;
  {
    Sessions sessions;
    begin = [&] {
      sessions.get(new_session().key()).start([&](const Found&) {
        if (++times < too_often) begin();
        throw std::runtime_error("nobody can catch it");
      });
    };
    begin();
  }
  EXPECT_GE(times, 2) << "what a handler begins is told, too";
  EXPECT_LT(times, too_often);
}

TEST(AsyncOver, PostsOutcomesToExecutorsThatOutliveIt) {
  QueueingExecutor executor;
  std::optional<Found> found;
  {
    Sessions sessions;
    sessions.get(new_session().key(), {.executor = &executor}).start([&](Found outcome) { found = outcome; });
    EXPECT_FALSE(has_work(sessions));
  }
  EXPECT_FALSE(found.has_value());
  executor.take().run();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->value(), std::nullopt);
}

/// Fails as a store without memory does.
class FailingStore final : public SessionStore {
 public:
  Result<std::optional<Session>> get(const SessionKey&) override { throw std::bad_alloc(); }
  std::expected<Upserted, UpsertError> upsert(Session&) override { throw std::bad_alloc(); }
  std::expected<void, UpsertError> rotate_id(Session&) override { throw std::bad_alloc(); }
  Result<Deleted> delete_one(const SessionKey&) override { throw std::bad_alloc(); }
  Result<std::vector<Session>> get_all(std::string_view, std::string_view) override { throw std::bad_alloc(); }
  Result<Deleted> delete_all(std::string_view, std::string_view) override { throw std::bad_alloc(); }
  Result<Deleted> delete_all(std::string_view, std::span<const std::string>) override { throw std::bad_alloc(); }
  Result<Deleted> delete_others(const SessionKey&) override { throw std::bad_alloc(); }
};

TEST(AsyncOver, PassesOnWhatItsStoreThrows) {
  AsyncOver<FailingStore> sessions;
  bool is_told = false;
  EXPECT_THROW(sessions.get({}).start([&](const Found&) { is_told = true; }), std::bad_alloc);
  sessions.run_ready();
  EXPECT_FALSE(is_told);
}

TEST(AsyncOver, FailsInAForkedChildAndLeavesTheParentsDescriptorAlone) {
  Sessions sessions;
  sessions.get({}).start({});
  ASSERT_TRUE(has_work(sessions));
  EXPECT_EQ(run_in_child([&] {
              std::optional<ErrorCode> code;
              sessions.get(new_session().key()).start([&](const Found& found) {
                if (!found) code = static_cast<ErrorCode>(found.error().code.value());
              });
              sessions.run_ready();
              return code == ErrorCode::closed;
            }),
            "");
  EXPECT_TRUE(has_work(sessions));
}

#ifndef NDEBUG
TEST(AsyncOver, ChecksThatItIsNotDrivenFromWithinAHandler) {
  EXPECT_EQ(run_in_child([] {
              Sessions sessions;
              sessions.get(new_session().key()).start([&](const Found&) { sessions.run_ready(); });
              sessions.run_ready();
              return true;
            }),
            "it was ended by signal 6");
}
#endif

}}  // namespace obol::testing
