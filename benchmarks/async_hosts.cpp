// Loops by hand, and threads beside a BackgroundDriver.
#include "async_hosts.hpp"

#include <poll.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "obol/background_driver.hpp"
#include "obol/executor.hpp"

namespace obol::benchmark {
namespace {

using Clock = std::chrono::steady_clock;

/// The queue of a thread that runs what it is given.
class ThreadQueue final : public Executor {
 public:
  void post(Completions ready) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      ready_.append(std::move(ready));
    }
    posted_.notify_one();
  }

  void run_until(const std::function<bool()>& is_over) {
    while (!is_over()) {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [this] { return !ready_.empty(); });
      auto ready = std::move(ready_);
      lock.unlock();
      ready.run();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  Completions ready_;
};

/// Until the callers have ended; they are told to at that time.
std::function<bool()> until(Callers& callers, Clock::time_point end) {
  return [&callers, end] {
    if (Clock::now() >= end) callers.are_over = true;
    return callers.running == 0;
  };
}

/// The connection is open and the first call was answered before the clock starts.
void warm_up(World& world, AsyncRedisStore& store) {
  bool is_done = false;
  store.get(world.keys().front()).start([&](const auto& session) {
    require(session.has_value(), "get");
    is_done = true;
  });
  drive(store, [&] { return is_done; });
}

Load put_load_by(World& world, std::size_t threads, std::size_t callers_each,
                 const std::function<CallOptions(std::size_t thread)>& options,
                 const std::function<void(std::size_t thread, Callers& callers, Clock::time_point end)>& host,
                 std::chrono::duration<double> time) {
  std::deque<Callers> all;
  for (std::size_t thread = 0; thread < threads; ++thread) all.emplace_back(world, callers_each, options(thread));
  const LoadTimer timer;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
  {
    std::vector<std::jthread> others;
    for (std::size_t thread = 1; thread < threads; ++thread) {
      others.emplace_back([&, thread] { host(thread, all[thread], end); });
    }
    host(0, all[0], end);
  }
  std::vector<Latencies> latencies;
  for (auto& callers : all) {
    for (auto& some : callers.latencies) latencies.push_back(std::move(some));
  }
  return timer.stop(latencies);
}

void begin_all(AsyncRedisStore& store, Callers& callers, const BeginCaller& begin) {
  for (std::size_t number = 0; number < callers.latencies.size(); ++number) begin(store, callers, number);
}

}  // namespace

AsyncRedisStore connect_async(World& world, RedisStoreOptions options) {
  auto store = AsyncRedisStore::connect(options_for(world.server(), std::move(options)));
  require(store.has_value(), "connecting");
  return std::move(*store);
}

BeginCaller gets() { return async_get<Detached, AsyncRedisStore>; }
BeginCaller get_alls() { return async_get_all<Detached, AsyncRedisStore>; }
BeginCaller creates() { return async_create<Detached, AsyncRedisStore>; }
BeginCaller creates_and_deletes() { return async_create_and_delete<Detached, AsyncRedisStore>; }

BeginCaller updates() { return async_update<Detached, AsyncRedisStore>; }

PutLoad in_hand_loops(World& world, std::span<AsyncRedisStore* const> stores, std::size_t callers, BeginCaller begin) {
  return [&world, all = std::vector(stores.begin(), stores.end()), callers,
          begin = std::move(begin)](std::chrono::duration<double> time) {
    for (auto* const store : all) warm_up(world, *store);
    const auto host = [&](std::size_t thread, Callers& mine, Clock::time_point end) {
      begin_all(*all[thread], mine, begin);
      drive(*all[thread], until(mine, end));
    };
    return put_load_by(world, all.size(), callers, [](std::size_t) { return CallOptions{}; }, host, time);
  };
}

PutLoad in_hand_loop(World& world, AsyncRedisStore& store, std::size_t callers, BeginCaller begin) {
  return in_hand_loops(world, std::array{&store}, callers, std::move(begin));
}

PutLoad in_background(World& world, AsyncRedisStore& store, std::size_t threads, std::size_t callers_each,
                      BeginCaller begin) {
  return [&world, &store, threads, callers_each, begin = std::move(begin)](std::chrono::duration<double> time) {
    warm_up(world, store);
    // They must be there until the driver's thread has left them.
    std::deque<ThreadQueue> queues(threads);
    const BackgroundDriver driver(store);
    const auto options = [&](std::size_t thread) { return CallOptions{.executor = &queues[thread]}; };
    const auto host = [&](std::size_t thread, Callers& mine, Clock::time_point end) {
      begin_all(store, mine, begin);
      queues[thread].run_until(until(mine, end));
    };
    return put_load_by(world, threads, callers_each, options, host, time);
  };
}

void drive(AsyncSessionStore& store, const std::function<bool()>& is_over) {
  pollfd watched{.fd = store.descriptor(), .events = POLLIN, .revents = 0};
  while (!is_over()) {
    ::poll(&watched, 1, -1);
    store.run_ready();
  }
}

}  // namespace obol::benchmark
