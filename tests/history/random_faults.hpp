// Random faults for a FaultProxy, every kind of which a store must survive without a lie.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>

#include "support/fault.hpp"
#include "support/fault_proxy.hpp"

namespace obol::testing::history {

/// To be called from one thread.
class RandomFaults {
 public:
  explicit RandomFaults(std::uint64_t seed) : random_(seed) {}

  /// One in 100 of the store's commands meets a fault, one in 50 of all others.
  Fault operator()(std::string_view word) {
    return any(FaultProxy::is_store_command(word) ? 100 : 50) == 0 ? any_fault() : Fault{};
  }

 private:
  std::size_t any(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }

  Fault any_fault() {
    using std::chrono::milliseconds;
    switch (any(15)) {
      case 0:
        return Fault::delay(milliseconds(any(200)));
      case 1:
        return Fault::trickle(1 + any(20), milliseconds(1 + any(20)));
      case 2:
        return Fault::split_every_byte();
      case 3:
        return Fault::cut_in_command();
      case 4:
        return Fault::cut_before_delivery();
      case 5:
        return Fault::cut_before_reply();
      case 6:
        return Fault::cut_in_reply(any(300));
      case 7:
        return Fault::cut_after_reply();
      case 8:
        return Fault::swallow_reply();
      case 9:
        return Fault::reset_in_reply(any(300));
      case 10:
        return Fault::half_open();
      case 11:
        return Fault::push_before_reply();
      case 12:
        return Fault::push_without_end();
      case 13:
        return Fault::push_without_end(milliseconds(1));
      default:
        return Fault::garbage("garbage\r\n");
    }
  }

  std::mt19937_64 random_;
};

}  // namespace obol::testing::history
