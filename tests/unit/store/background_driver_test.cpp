// BackgroundDriver, over a store in memory.
#include "obol/background_driver.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "obol/async_over.hpp"
#include "obol/memory_store.hpp"
#include "support/await.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

using Sessions = AsyncOver<MemoryStore>;
using Found = Result<std::optional<Session>>;

const SessionKey unknown = new_session().key();

/// Runs the work in the thread that drives the store, and waits for that.
template <class Work>
auto in_driver(Sessions& sessions, Work work) {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto outcome = task.get_future();
  sessions.get(unknown).start([task = std::move(task)](const Found&) mutable { task(); });
  return outcome.get();
}

TEST(BackgroundDriver, RunsHandlersInItsThread) {
  Sessions sessions;
  const BackgroundDriver driver(sessions);
  EXPECT_NE(in_driver(sessions, [] { return std::this_thread::get_id(); }), std::this_thread::get_id());
}

TEST(BackgroundDriver, DeliversWhatWaitedForADriver) {
  Sessions sessions;
  auto found = sessions.get(unknown).future();
  const BackgroundDriver driver(sessions);
  EXPECT_EQ(found.get().value(), std::nullopt);
}

TEST(BackgroundDriver, HandlesNoSignals) {
  Sessions sessions;
  const BackgroundDriver driver(sessions);
  const auto blocked = in_driver(sessions, [] {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return mask;
  });
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGPIPE}) {
    EXPECT_EQ(::sigismember(&blocked, signal), 1) << signal;
  }
  sigset_t own;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(::sigismember(&own, SIGTERM), 0) << "the host's thread handles signals as before";
}

TEST(BackgroundDriver, TellsEveryCallOfManyThreadsOnce) {
  constexpr int threads = 4;
  constexpr int calls = 500;
  Sessions sessions;
  std::atomic<int> told = 0;
  {
    const BackgroundDriver driver(sessions);
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < threads; ++caller) {
      callers.emplace_back([&] {
        for (int call = 0; call < calls; ++call) sessions.get(unknown).start([&](const Found&) { ++told; });
      });
    }
    callers.clear();
    in_driver(sessions, [] {});
    EXPECT_EQ(told, threads * calls);
  }
  sessions.run_ready();
  EXPECT_EQ(told, threads * calls);
}

TEST(BackgroundDriver, LeavesTheStoreToTheNextDriver) {
  Sessions sessions;
  for (int round = 0; round < 3; ++round) {
    {
      const BackgroundDriver driver(sessions);
    }
    bool is_told = false;
    sessions.get(unknown).start([&](const Found&) { is_told = true; });
    sessions.run_ready();
    EXPECT_TRUE(is_told);
  }
}

TEST(BackgroundDriver, LetsTheThreadWaitThatDroveBefore) {
  Sessions sessions;
  sessions.run_ready();
  ASSERT_EQ(sessions.get(unknown).wait().error().code, ErrorCode::invalid_argument);
  const BackgroundDriver driver(sessions);
  EXPECT_TRUE(sessions.get(unknown).wait().has_value());
}

TEST(BackgroundDriver, RefusesToWaitInItsThread) {
  Sessions sessions;
  const BackgroundDriver driver(sessions);
  const auto found = in_driver(sessions, [&] { return sessions.get(unknown).wait(); });
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::invalid_argument);
}

std::ptrdiff_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

TEST(BackgroundDriver, MayBeDestroyedByAHandler) {
  Sessions sessions;
  // A sanitizer's own thread begins with the first of the process.
  std::thread([] {}).join();
  const auto before = threads_of_this_process();
  auto driver = std::make_unique<BackgroundDriver>(sessions);
  in_driver(sessions, [&] { driver.reset(); });
  await("the thread to end", [&] { return threads_of_this_process() <= before; });
  const BackgroundDriver next(sessions);
  EXPECT_TRUE(sessions.get(unknown).wait().has_value());
}

TEST(BackgroundDriver, MayBeDestroyedInAForkedChildWithoutTouchingTheParents) {
  Sessions sessions;
  auto driver = std::make_unique<BackgroundDriver>(sessions);
  EXPECT_EQ(run_in_child([&] {
              driver.reset();
              return sessions.get(unknown).wait().error().code == ErrorCode::closed;
            }),
            "");
  EXPECT_NE(in_driver(sessions, [] { return std::this_thread::get_id(); }), std::this_thread::get_id());
}

TEST(BackgroundDriver, ThrowsIfThereIsNoDescriptor) {
  // The check of types opens a pipe to see whether it may read memory.
  if constexpr (is_sanitized) GTEST_SKIP() << "a sanitizer needs descriptors itself";
  EXPECT_EQ(run_in_child([] {
              Sessions sessions;
              constexpr rlimit none{.rlim_cur = 0, .rlim_max = 0};
              ::setrlimit(RLIMIT_NOFILE, &none);
              try {
                const BackgroundDriver driver(sessions);
                return false;
              } catch (const std::system_error& error) {
                return error.code() == std::errc::too_many_files_open;
              }
            }),
            "");
}

TEST(BackgroundDriver, EndsTheProgramIfAHandlerThrows) {
  EXPECT_EQ(run_in_child([] {
              Sessions sessions;
              sessions.get(unknown).start([](const Found&) { throw std::runtime_error("a handler's own"); });
              const BackgroundDriver driver(sessions);
              return true;
            }),
            "it was ended by signal 6");
}

}}  // namespace obol::testing
