// Counts uses of OpenSSL in counters that are spread over the threads, and ends each thread's share of OpenSSL.
#include "base/openssl_use.hpp"

#include <openssl/crypto.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace obol { inline namespace v0 {
namespace {

struct alignas(64) Counter {
  std::atomic<std::uint32_t> uses{0};
};

// Nothing here has a destructor: threads and handlers may run while static objects are being destroyed.
constinit std::array<Counter, 32> counters{};
constinit std::atomic<std::size_t> threads{0};
constinit std::atomic<bool> is_held_off{false};
constinit std::atomic<bool> has_ended{false};

struct ThreadState {
  Counter* counter = nullptr;
  std::uint32_t depth = 0;
};
constinit thread_local ThreadState state;

/// OpenSSL ends a thread's share under a lock that every first use in a thread takes. Done here, before OpenSSL does it
/// by itself, a fork keeps clear of that, too. Not at the end of the process, when somebody may wait for the thread.
struct EndOfThread {
  EndOfThread() = default;
  EndOfThread(const EndOfThread&) = delete;
  EndOfThread& operator=(const EndOfThread&) = delete;
  ~EndOfThread() {
    if (!has_ended) OpensslUse::end_thread();
  }
};

Counter& counter_of_new_thread() {
  static thread_local const EndOfThread end;
  static_cast<void>(end);
  return counters[threads.fetch_add(1, std::memory_order_relaxed) % counters.size()];
}

}  // namespace

OpensslUse::OpensslUse() {
  if (state.depth++ > 0) return;
  if (state.counter == nullptr) state.counter = &counter_of_new_thread();
  auto& uses = state.counter->uses;
  for (;;) {
    // Either hold_off() sees the count, or this thread sees that it is held off.
    uses.fetch_add(1);
    if (!is_held_off.load()) return;
    uses.fetch_sub(1);
    is_held_off.wait(true);
  }
}

OpensslUse::~OpensslUse() {
  if (--state.depth == 0) state.counter->uses.fetch_sub(1);
}

// Uses are short, and forks rare: it looks again and again, so that the end of a use need not look for it.
void OpensslUse::hold_off() {
  is_held_off = true;
  for (const auto& counter : counters) {
    while (counter.uses.load() != 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

void OpensslUse::end_thread() {
  const OpensslUse use;
  ::OPENSSL_thread_stop();
}

void OpensslUse::end() {
  has_ended = true;
  hold_off();
  ++state.depth;
}

void OpensslUse::let_in() {
  is_held_off = false;
  is_held_off.notify_all();
}

}}  // namespace obol::v0
