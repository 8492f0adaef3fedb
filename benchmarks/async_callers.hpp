// Callers of asynchronous stores: coroutines that begin a call when the one before has ended. They run on Obol's own
// calls and on those of an Asio face alike.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "calls.hpp"
#include "load.hpp"
#include "obol/async_call.hpp"
#include "world.hpp"

namespace obol::benchmark {

/// A coroutine that nobody awaits. Begins at once.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

/// What the callers of one thread share. Once `are_over` is set, each one ends with its call.
struct Callers {
  Callers(World& of, std::size_t count, CallOptions with = {})
      : world(of), options(std::move(with)), latencies(count), running(count) {
    for (auto& some : latencies) some.reserve(100'000);
  }

  World& world;
  const CallOptions options;
  std::vector<Latencies> latencies;
  std::size_t running;
  bool are_over = false;
};

/// One of them.
class Caller {
 public:
  Caller(Callers& callers, std::size_t number) : callers_(callers), latencies_(callers.latencies[number]) {}
  ~Caller() { --callers_.running; }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// Whether to begin another call, whose time begins now.
  bool goes_on() {
    start_ = std::chrono::steady_clock::now();
    return !callers_.are_over;
  }
  void has_ended() { latencies_.push_back(LoadTimer::nanoseconds_since(start_)); }

 private:
  Callers& callers_;
  Latencies& latencies_;
  std::chrono::steady_clock::time_point start_{};
};

// The calls that are measured. `Coroutine`: Detached, or asio::awaitable<void> if `Store` is an Asio face.

template <class Coroutine, class Store>
Coroutine async_get(Store& store, Callers& callers, std::size_t number) {
  Caller caller(callers, number);
  Picker picker(number);
  const auto& keys = callers.world.keys();
  while (caller.goes_on()) {
    const auto session = co_await store.get(keys[picker.pick(keys.size())], callers.options);
    require(session && *session, "get");
    caller.has_ended();
  }
}

template <class Coroutine, class Store>
Coroutine async_get_all(Store& store, Callers& callers, std::size_t number) {
  Caller caller(callers, number);
  Picker picker(number);
  while (caller.goes_on()) {
    auto user = World::user_id(picker.pick(callers.world.users()));
    const auto sessions = co_await store.get_all(std::move(user), "full", callers.options);
    require(sessions && !sessions->empty(), "get_all");
    caller.has_ended();
  }
}

template <class Coroutine, class Store>
Coroutine async_create(Store& store, Callers& callers, std::size_t number) {
  Caller caller(callers, number);
  for (auto next = first_number(); caller.goes_on(); ++next) {
    const auto stored = co_await store.upsert(new_session(callers.world, number, next), callers.options);
    require(stored.has_value(), "upsert of a new session");
    caller.has_ended();
  }
}

template <class Coroutine, class Store>
Coroutine async_create_and_delete(Store& store, Callers& callers, std::size_t number) {
  Caller caller(callers, number);
  for (auto next = first_number(); caller.goes_on(); ++next) {
    const auto stored = co_await store.upsert(new_session(callers.world, number, next), callers.options);
    require(stored.has_value(), "upsert of a new session");
    const auto deleted = co_await store.delete_one(stored->session.key(), callers.options);
    require(deleted.has_value(), "delete_one");
    caller.has_ended();
  }
}

template <class Coroutine, class Store>
Coroutine async_update(Store& store, Callers& callers, std::size_t number) {
  Caller caller(callers, number);
  auto stored = co_await store.upsert(new_session(callers.world, number, first_number()), callers.options);
  require(stored.has_value(), "upsert of a new session");
  while (caller.goes_on()) {
    stored = co_await store.upsert(std::move(stored->session), callers.options);
    require(stored.has_value(), "upsert of a stored session");
    caller.has_ended();
  }
}

}  // namespace obol::benchmark
