// How many handlers run before what they have begun is sent.
#pragma once

#include <algorithm>
#include <cstddef>

namespace obol { inline namespace v0 {

/// How many handlers of asynchronous calls run in one turn, if so many calls are under way. Between two turns the
/// driver of the store sends what the handlers have begun (`run_ready()`), so that the server works while the next
/// handlers run. Turns that are too large leave the server without work, and turns that are too small cost a system
/// call for few calls: a quarter of the calls that are under way did best from 16 to 256 of them (docs/performance.md).
/// AsyncRedisStore does so by itself for calls without an executor, and the faces for Asio do; this is for an Executor
/// that runs Completions in the thread that drives the store (Completions::run_some()).
constexpr std::size_t handlers_in_turn(std::size_t calls_under_way) noexcept {
  constexpr std::size_t least = 4;
  constexpr std::size_t most = 64;
  return std::clamp(calls_under_way / 4, least, most);
}

}}  // namespace obol::v0
