// Sleeping and waking by futex.
#include "redis/net/wake_signal.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#include <limits>

namespace obol { inline namespace v0 { namespace redis {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

// steady_clock is CLOCK_MONOTONIC, which FUTEX_WAIT_BITSET measures its absolute time by.
void ParkingLot::sleep_through(std::uint32_t turn, unsigned group, Deadline::Time::time_point time) {
  const auto since_boot = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  const std::timespec until{.tv_sec = seconds.count(),
                            .tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count()};
  ::syscall(SYS_futex, &turn_, FUTEX_WAIT_BITSET_PRIVATE, turn, &until, nullptr, Groups{1} << group);
}

void ParkingLot::wake(Groups woken) {
  ++turn_;
  ::syscall(SYS_futex, &turn_, FUTEX_WAKE_BITSET_PRIVATE, std::numeric_limits<int>::max(), nullptr, nullptr, woken);
}

}}}  // namespace obol::v0::redis
