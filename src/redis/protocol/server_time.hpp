// What a server says to TIME.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/decimal.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A number in a reply that may also be a text of digits; nothing if it is neither.
inline std::optional<std::int64_t> number_in(const Reply& reply) {
  if (reply.kind == Reply::Kind::integer) return reply.integer;
  return decimal<std::int64_t>(reply.text);
}

/// Nothing where the reply is no time. Redis and Valkey say it in texts, Dragonfly in numbers.
/// Source: https://redis.io/docs/latest/commands/time/
inline std::optional<std::chrono::sys_time<std::chrono::milliseconds>> server_time(const Reply& reply) {
  if (reply.kind != Reply::Kind::list || reply.elements.size() != 2) return std::nullopt;
  const auto seconds = number_in(reply.elements[0]);
  const auto microseconds = number_in(reply.elements[1]);
  constexpr std::int64_t far_future = std::int64_t{1} << 40;
  if (!seconds || !microseconds || *seconds < 0 || *seconds > far_future) return std::nullopt;
  if (*microseconds < 0 || *microseconds >= 1'000'000) return std::nullopt;
  return std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::seconds(*seconds) +
                                                          std::chrono::milliseconds(*microseconds / 1000));
}

/// Whether something had expired when it was written, by the time that the server told behind that. Without the time it
/// is not known whether the write stands: its reply becomes one that says nothing.
inline bool was_past(Reply& written, std::optional<std::chrono::sys_time<std::chrono::milliseconds>> theirs,
                     std::chrono::sys_time<std::chrono::milliseconds> expiry) {
  if (!theirs) written = {.kind = Reply::Kind::other};
  return theirs && *theirs >= expiry;
}

}}}  // namespace obol::v0::redis
