// A point in time that a call, a connection or a node of the engine waits for.
#pragma once

#include <cstdint>
#include <variant>

#include "base/intrusive_queue.hpp"

namespace obol { inline namespace v0 { namespace redis {

class EngineCall;
class LoopConnection;
class LoopNode;

/// An element of a TimerWheel.
struct LoopTimer {
  using Owner = std::variant<EngineCall*, LoopConnection*, LoopNode*>;

  Owner owner;
  QueueLinks<LoopTimer> links{};
  std::uint64_t due_tick = 0;
  bool is_set = false;
};

}}}  // namespace obol::v0::redis
