// Connections that a script answers, and waiters, for tests of the pool's parts without a server.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "redis/pool/pool_state.hpp"
#include "support/scripted_stream.hpp"

namespace obol::redis {

inline std::string bulk(std::string_view text) { return fmt::format("${}\r\n{}\r\n", text.size(), text); }

inline Connection connection_of(std::shared_ptr<testing::Script> script) {
  constexpr std::size_t reply_limit = std::size_t{1024} * 1024;
  return {std::make_unique<testing::ScriptedStream>(std::move(script)), reply_limit, false, std::chrono::hours(1)};
}

/// A waiter without a deadline worth mentioning.
struct PatientWaiter : Waiter {
  explicit PatientWaiter(std::string_view command_sent, Sharing sharing_allowed = Sharing::allowed)
      : Waiter(command_sent, Deadline::at(Deadline::Time::time_point::max()),
               Deadline::at(Deadline::Time::time_point::max()), sharing_allowed) {}
};

}  // namespace obol::redis
