// Tasks in threads of their own: what they find there, how they end, and who can wait for them.
#include "base/background_tasks.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <latch>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "base/on_exit.hpp"
#include "base/openssl_use.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"

namespace obol { namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

/// A task that ends when the test says so.
class HeldTask {
 public:
  HeldTask() {
    EXPECT_TRUE(BackgroundTasks::start([this] {
      begun_.count_down();
      may_end_.wait();
    }));
    begun_.wait();
  }
  HeldTask(const HeldTask&) = delete;
  HeldTask& operator=(const HeldTask&) = delete;
  ~HeldTask() { EXPECT_TRUE(end()); }

  bool end() {
    if (!may_end_.try_wait()) may_end_.count_down();
    return BackgroundTasks::await_none(minutes(1));
  }

 private:
  std::latch begun_{1};
  std::latch may_end_{1};
};

bool is_blocked_here(int signal) {
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return ::sigismember(&blocked, signal) == 1;
}

TEST(BackgroundTasks, RunInAThreadOfTheirOwnThatHandlesNoSignals) {
  std::thread::id thread;
  bool blocks_signals = false;
  std::array<char, 16> name{};
  ASSERT_TRUE(BackgroundTasks::start([&] {
    thread = std::this_thread::get_id();
    blocks_signals = is_blocked_here(SIGTERM) && is_blocked_here(SIGINT) && is_blocked_here(SIGUSR1);
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
  }));
  ASSERT_TRUE(BackgroundTasks::await_none(minutes(1)));
  EXPECT_NE(thread, std::thread::id());
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_TRUE(blocks_signals);
  EXPECT_FALSE(is_blocked_here(SIGTERM)) << "the starter's are as they were";
  EXPECT_STREQ(name.data(), "obol-background");
}

TEST(BackgroundTasks, AreLeftUntilAllThatTheyHoldIsDestroyed) {
  struct SlowToDestroy {
    explicit SlowToDestroy(std::atomic<bool>& is_gone) : is_gone_(is_gone) {}
    SlowToDestroy(const SlowToDestroy&) = delete;
    SlowToDestroy& operator=(const SlowToDestroy&) = delete;
    ~SlowToDestroy() {
      std::this_thread::sleep_for(milliseconds(20));
      is_gone_ = true;
    }
    std::atomic<bool>& is_gone_;
  };
  std::atomic<bool> is_gone{false};
  ASSERT_TRUE(BackgroundTasks::start([held = std::make_unique<SlowToDestroy>(is_gone)] {}));
  EXPECT_TRUE(BackgroundTasks::await_none(minutes(1)));
  EXPECT_TRUE(is_gone);
}

TEST(BackgroundTasks, AreWaitedForNoLongerThanTheTimeGiven) {
  HeldTask held;
  EXPECT_FALSE(BackgroundTasks::await_none(milliseconds(0)));
  EXPECT_FALSE(BackgroundTasks::await_none(milliseconds(5)));
  EXPECT_TRUE(held.end());
}

TEST(BackgroundTasks, MayFindNoMemory) {
  ASSERT_TRUE(BackgroundTasks::start([] { throw std::bad_alloc(); }));
  EXPECT_TRUE(BackgroundTasks::await_none(minutes(1)));
}

// No stack is so large.
TEST(BackgroundTasks, AreRefusedAndDestroyedIfThereIsNoThread) {
  pthread_attr_t before;
  pthread_attr_t huge;
  ASSERT_EQ(::pthread_getattr_default_np(&before), 0);
  ASSERT_EQ(::pthread_getattr_default_np(&huge), 0);
  const OnExit restore([&] {
    ::pthread_setattr_default_np(&before);
    ::pthread_attr_destroy(&before);
    ::pthread_attr_destroy(&huge);
  });
  ASSERT_EQ(::pthread_attr_setstacksize(&huge, std::size_t{1} << 60U), 0);
  ASSERT_EQ(::pthread_setattr_default_np(&huge), 0);
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watched = held;
  bool has_run = false;
  EXPECT_FALSE(BackgroundTasks::start([&has_run, held = std::move(held)] { has_run = true; }));
  EXPECT_TRUE(BackgroundTasks::await_none(milliseconds(0)));
  EXPECT_TRUE(watched.expired());
  EXPECT_FALSE(has_run);
}

// ThreadSanitizer ends a child of a process with threads when it starts one.
#if !OBOL_THREAD_SANITIZER
TEST(BackgroundTasks, AreNotLeftInAForkedChild) {
  const HeldTask held;
  EXPECT_EQ(testing::run_in_child([] {
              if (!BackgroundTasks::await_none(milliseconds(0))) return false;
              std::atomic<bool> has_run{false};
              return BackgroundTasks::start([&] { has_run = true; }) && BackgroundTasks::await_none(minutes(1)) &&
                     has_run;
            }),
            "");
  EXPECT_FALSE(BackgroundTasks::await_none(milliseconds(0))) << "the parent's goes on";
}

// OpenSSL would end the thread's share of it by itself, beside the thread that tears OpenSSL down.
TEST(BackgroundTasks, KeepTheirThreadIfTheProcessEndsMeanwhile) {
  const auto keeps_its_thread = [] {
    std::latch has_begun{1};
    std::latch may_end{1};
    pid_t thread = 0;
    if (!BackgroundTasks::start([&] {
          thread = ::gettid();
          has_begun.count_down();
          may_end.wait();
        })) {
      return false;
    }
    has_begun.wait();
    OpensslUse::end();
    may_end.count_down();
    if (!BackgroundTasks::await_none(minutes(1))) return false;
    for (int i = 0; i < 20; ++i) {
      if (::tgkill(::getpid(), thread, 0) != 0) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  };
  EXPECT_EQ(testing::run_in_child(keeps_its_thread), "");
}
#endif

}}  // namespace obol
