// Ten thousand connection faults leave nothing behind: no descriptor, no thread, no memory.
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <thread>
#include <vector>

#include "support/descriptors.hpp"
#include "support/fault_proxy.hpp"
#include "support/sanitizers.hpp"
#include "support/store_calls.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

constexpr std::size_t faults_to_meet = 10'000;
constexpr std::size_t faults_to_warm_up = 500;

/// Far less than one allocation a fault would be.
constexpr std::size_t heap_allowance = std::size_t{128} * 1024;

std::size_t threads() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator()));
}
std::size_t heap() { return is_sanitized ? 0 : ::mallinfo2().uordblks; }

/// The least that `measure` shows within ten seconds: what others close late is none of the store's.
std::size_t settled(const std::function<std::size_t()>& measure, std::size_t goal) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto value = measure();
  while (value > goal && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    value = measure();
  }
  return value;
}

class Leak : public TestedStoreTest {
 protected:
  TestedStore store_through_proxy() {
    auto options = options_for(server);
    options.connection = proxy.connection();
    options.pool = {.size = connections, .max_overflow = 0};
    options.timeouts.command = std::chrono::milliseconds(500);
    return tested_store(options);
  }

  /// Calls until the proxy has done so many faults of every kind that ends a connection at once.
  void meet(SessionStore& store, std::size_t faults) {
    proxy.follow([kind = 0](std::string_view word) mutable {
      if (word == "HELLO") return ++kind % 10 == 0 ? Fault::cut_in_reply(20) : Fault{};
      switch (++kind % 6) {
        case 0:
          return Fault::cut_before_delivery();
        case 1:
          return Fault::cut_before_reply();
        case 2:
          return Fault::cut_in_reply(2);
        case 3:
          return Fault::cut_after_reply();
        case 4:
          return Fault::garbage("garbage\r\n");
        default:
          return Fault::reset_in_reply(1);
      }
    });
    const auto goal = proxy.faults() + faults;
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(200);
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < 16; ++caller) {
      callers.emplace_back([&, user = std::to_string(caller)] {
        auto session = new_session(user);
        while (proxy.faults() < goal && std::chrono::steady_clock::now() < give_up) {
          static_cast<void>(store.upsert(session));
          static_cast<void>(store.get(session.key()));
          static_cast<void>(store.get_all(user, "full"));
        }
      });
    }
    callers.clear();
    EXPECT_GE(proxy.faults(), goal);
    proxy.heal();
    EXPECT_TRUE(comes_to_work(store));
  }

  static constexpr std::size_t connections = 8;
  FaultProxy proxy{server};
};

TEST_P(Leak, TenThousandConnectionFaultsLeaveNoDescriptorThreadOrMemory) {
  const auto descriptors_without_store = open_descriptors();
  const auto threads_at_first = threads();
  {
    auto store = store_through_proxy();
    meet(store, faults_to_warm_up);
    const auto heap_at_first = heap();
    meet(store, faults_to_meet);
    // Each connection has three ends in this process: the store's, and the proxy's two.
    const auto most = descriptors_without_store + 3 * connections;
    EXPECT_LE(settled(open_descriptors, most), most);
    EXPECT_EQ(settled(threads, threads_at_first), threads_at_first);
    EXPECT_LE(settled(heap, heap_at_first + heap_allowance), heap_at_first + heap_allowance);
  }
  EXPECT_EQ(settled(open_descriptors, descriptors_without_store), descriptors_without_store);
}

// By hand: a driver has a thread of its own.
OBOL_ON_STORES(Leak, all_stores_once(StoreKind::async_by_hand));

}}  // namespace obol::testing
