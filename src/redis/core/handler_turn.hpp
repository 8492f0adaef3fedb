// How many handlers run before what they have begun is sent.
#pragma once

#include <algorithm>
#include <cstddef>

namespace obol { inline namespace v0 { namespace redis {

/// While the server works on the calls of one turn, the next handlers run. Turns that are too large leave the server
/// without work, and turns that are too small cost a system call for few calls: a quarter of the calls that are under
/// way did best from 16 to 256 of them (docs/performance.md).
constexpr std::size_t handlers_before_sending(std::size_t calls_under_way) {
  constexpr std::size_t least = 4;
  constexpr std::size_t most = 64;
  return std::clamp(calls_under_way / 4, least, most);
}

}}}  // namespace obol::v0::redis
