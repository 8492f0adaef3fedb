// How long a call may take.
#pragma once

#include <chrono>

namespace obol { inline namespace v0 {

/// Time limits. All must be positive. Every call ends by `total`, whatever happens.
struct Timeouts {
  std::chrono::milliseconds connect{1000};  ///< To open a connection, including TLS and the Redis handshake.
  std::chrono::milliseconds command{1000};  ///< One command, from the first byte sent to the last received.
  std::chrono::milliseconds total{5000};    ///< A whole call: waiting, connecting, commands and repeats.
};

}}  // namespace obol::v0
