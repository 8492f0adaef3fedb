// What a server says to TIME.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/decimal.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Nothing where the reply is no time.
/// Source: https://redis.io/docs/latest/commands/time/
inline std::optional<std::chrono::sys_time<std::chrono::milliseconds>> server_time(const Reply& reply) {
  if (reply.kind != Reply::Kind::list || reply.elements.size() != 2) return std::nullopt;
  const auto seconds = decimal<std::int64_t>(reply.elements[0].text);
  const auto microseconds = decimal<std::int64_t>(reply.elements[1].text);
  constexpr std::int64_t far_future = std::int64_t{1} << 40;
  if (!seconds || !microseconds || *seconds < 0 || *seconds > far_future) return std::nullopt;
  if (*microseconds < 0 || *microseconds >= 1'000'000) return std::nullopt;
  return std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::seconds(*seconds) +
                                                          std::chrono::milliseconds(*microseconds / 1000));
}

}}}  // namespace obol::v0::redis
