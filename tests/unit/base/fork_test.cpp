// Forks beside threads that use everything which needs no server: no child hangs, and none repeats its parent.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/fork_registration.hpp"
#include "base/name_lookup.hpp"
#include "base/openssl_use.hpp"
#include "obol/fork_safe_mutex.hpp"
#include "obol/memory_store.hpp"
#include "obol/metrics/store_metrics.hpp"
#include "obol/session_id.hpp"
#include "sealing/sealing.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

/// A fork of a process with a sanitizer takes a second if threads are busy beside it.
constexpr int forks = is_sanitized ? 5 : 20;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

/// Threads that each do their work over and over until this is destroyed.
class Busy {
 public:
  Busy() = default;
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { is_ending_ = true; }

  void add(int count, const std::function<bool()>& work) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, work] {
        while (!is_ending_) failures_ += work() ? 0 : 1;
      });
    }
  }
  int failures() const { return failures_; }

 private:
  std::atomic<bool> is_ending_{false};
  std::atomic<int> failures_{0};
  std::vector<std::jthread> threads_;
};

bool load_a_key() { return SigningKey::from_bytes(secret).has_value(); }

bool seal_and_open(const Keyring& keyring) {
  auto session = new_session();
  session.lock_version = 1;
  for (const auto encryption : {Encryption::off, Encryption::require}) {
    const auto sealed = sealing::seal(session, "place", keyring, encryption);
    if (!sealed || !sealing::open(*sealed, "place", session.key(), keyring, encryption)) return false;
  }
  return true;
}

bool make_an_id() {
  const auto id = generate_session_id();
  return id && session_id_hash(*id).size() == 16;
}

bool live_in(MemoryStore& store) {
  auto session = new_session("user", generate_session_id().value());
  return store.upsert(session) && store.get(session.key()) && store.get_all("user", "full") &&
         store.delete_one(session.key());
}

bool count_in(StoreMetrics& metrics) {
  metrics.on_verification_failed({.reason = VerificationFailure::bad_signature, .key_id = "k", .is_key_known = true});
  metrics.on_refused({.reason = ErrorCode::revoked});
  metrics.on_finding({.topic = "clock"});
  metrics.watch([]() -> std::optional<StoreStatistics> { return StoreStatistics{}; });
  return !metrics.points().empty();
}

TEST(Fork, LeavesAChildWithNoLockOfAnotherThread) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer's own locks may be held in the child";
  const Keyring keyring(signing_key());
  const auto metrics = std::make_shared<StoreMetrics>();
  MemoryStore store({.observer = metrics});
  const std::vector<std::function<bool()>> works{
      load_a_key,
      make_an_id,
      [&] { return seal_and_open(keyring); },
      [&] { return live_in(store); },
      [&] { return count_in(*metrics); },
  };
  Busy busy;
  for (const auto& work : works) busy.add(3, work);
  // OpenSSL ends what it keeps for a thread.
  busy.add(1, [] {
    std::jthread([] { static_cast<void>(load_a_key()); }).join();
    return true;
  });
  for (int i = 0; i < forks; ++i) {
    for (std::size_t work = 0; work < works.size(); ++work) {
      ASSERT_EQ(run_in_child(works[work]), "") << "fork " << i << ", work " << work;
    }
  }
  EXPECT_EQ(busy.failures(), 0);
}

TEST(Fork, LeavesTheChildOfAChildAsWell) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer's own locks may be held in the child";
  Busy busy;
  busy.add(4, make_an_id);
  busy.add(4, load_a_key);
  for (int i = 0; i < forks; ++i) {
    EXPECT_EQ(run_in_child([] {
                return load_a_key() && run_in_child([] { return load_a_key() && make_an_id(); }).empty() &&
                       make_an_id();
              }),
              "");
  }
}

TEST(Fork, LetsNoIdBeMadeTwice) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const auto draw = [end = pipe[1]] {
    const auto id = generate_session_id();
    return id && ::write(end, id->data(), id->size()) == 22;
  };
  ASSERT_TRUE(draw());
  for (int i = 0; i < forks; ++i) EXPECT_EQ(run_in_child(draw), "");
  // Without the handlers of a fork, as some supervisors do it.
  for (int i = 0; i < forks; ++i) {
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) ::_exit(draw() ? 0 : 1);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  ASSERT_TRUE(draw());
  ::close(pipe[1]);
  std::set<std::string> ids;
  std::array<char, 22> id{};
  while (::read(pipe[0], id.data(), id.size()) == 22) ids.emplace(id.data(), id.size());
  ::close(pipe[0]);
  EXPECT_EQ(ids.size(), 2U * forks + 2U);
}

// In another order than they were made in, and than a fork goes through them.
TEST(Fork, WaitsForMutexesThatAreNestedInAnyOrder) {
  ForkSafeMutex first;
  ForkSafeMutex second;
  ForkSafeMutex third;
  int guarded = 0;
  Busy busy;
  busy.add(2, [&] {
    const std::scoped_lock outer(third);
    const std::scoped_lock inner(first);
    ++guarded;
    return true;
  });
  busy.add(2, [&] {
    const std::scoped_lock outer(third);
    const std::scoped_lock inner(second);
    ++guarded;
    return true;
  });
  for (int i = 0; i < 5 * forks; ++i) {
    ASSERT_EQ(run_in_child([&] {
                const std::scoped_lock all(first, second, third);
                return ++guarded > 0;
              }),
              "");
  }
}

TEST(Fork, RunsWhatIsToBeDoneInTheChildOnlyThere) {
  std::mutex mutex;
  int runs = 0;
  const ForkRegistration registration(mutex, [&runs] { ++runs; });
  EXPECT_EQ(run_in_child([&] { return runs == 1 && mutex.try_lock(); }), "");
  EXPECT_EQ(runs, 0);
}

TEST(Fork, WaitsForAUseOfOpensslAndLetsTheNextOneIn) {
  std::atomic<bool> is_in_use{false};
  std::atomic<bool> may_end{false};
  const std::jthread user([&] {
    const OpensslUse use;
    const OpensslUse nested;
    is_in_use = true;
    while (!may_end) std::this_thread::yield();
  });
  while (!is_in_use) std::this_thread::yield();
  std::atomic<bool> has_forked{false};
  std::jthread forker([&] {
    EXPECT_EQ(run_in_child([] {
                const OpensslUse use;
                return true;
              }),
              "");
    has_forked = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(has_forked);
  may_end = true;
  forker.join();
  const OpensslUse use;
}

// A fork waits for a bounded time, and a thread may be kept from running for longer: so not all of them, but most.
TEST(Fork, WaitsForLookupsOfNamesThatTakeMoments) {
  std::atomic<bool> is_inside{false};
  std::atomic<bool> is_ending{false};
  const std::jthread user([&] {
    while (!is_ending) {
      const NameLookup lookup;
      is_inside = true;
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      is_inside = false;
    }
  });
  int kept_clear = 0;
  for (int i = 0; i < 100; ++i) kept_clear += run_in_child([&] { return !is_inside; }).empty() ? 1 : 0;
  is_ending = true;
  EXPECT_GT(kept_clear, 50);
}

TEST(Fork, WaitsNotForLongForALookupOfANameAndItsChildBeginsAnew) {
  std::atomic<bool> is_inside{false};
  std::atomic<bool> may_end{false};
  const std::jthread user([&] {
    const NameLookup lookup;
    is_inside = true;
    while (!may_end) std::this_thread::yield();
  });
  while (!is_inside) std::this_thread::yield();
  EXPECT_EQ(run_in_child([] {
              const NameLookup lookup;
              return run_in_child([] { return true; }).empty();
            }),
            "");
  may_end = true;
}

}}  // namespace obol::testing
