// What is sent behind several commands to see that each reply belongs to its command.
#pragma once

#include <string>

#include "obol/error.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A reply that is lost or doubled on the way gives every later command somebody else's. So the replies of a batch
/// count only once the server has repeated the batch's own marker in its place behind them. Source:
/// https://redis.io/docs/latest/commands/echo/
class Marker {
 public:
  /// One that no other batch of this process has.
  static Marker next();

  Command command() const { return {"ECHO", text_}; }

  /// `unavailable` where the reply in the marker's place is another one.
  Result<void> check(const Reply& reply) const;

 private:
  explicit Marker(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}}}  // namespace obol::v0::redis
