// A waiter that never runs out of time, for tests of the pool's parts without a server.
#pragma once

#include <string_view>

#include "redis/pool/waiter.hpp"

namespace obol::redis {

struct PatientWaiter : Waiter {
  explicit PatientWaiter(std::string_view command_sent, Sharing sharing_allowed = Sharing::allowed)
      : Waiter(command_sent, Deadline::at(Deadline::Time::time_point::max()),
               Deadline::at(Deadline::Time::time_point::max()), sharing_allowed) {}
};

}  // namespace obol::redis
