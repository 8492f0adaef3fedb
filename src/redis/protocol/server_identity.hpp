// Which server process a connection leads to.
#pragma once

#include <cstdint>

#include "obol/error.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Two that are equal and known are the same server process, whatever address led to it: 64 bits of its random run id.
class ServerIdentity {
 public:
  constexpr ServerIdentity() = default;
  explicit constexpr ServerIdentity(std::uint64_t value) : value_(value) {}

  constexpr bool is_known() const { return value_ != 0; }
  constexpr bool operator==(const ServerIdentity&) const = default;

 private:
  std::uint64_t value_ = 0;
};

/// INFO tells the run id, which is new whenever a server starts. Nothing that needs fewer rights tells one server from
/// another: HELLO's id counts connections.
/// Source: https://redis.io/docs/latest/commands/info/
Command identity_question();

/// `permission` (the message names the right), `unsupported_server` if the server does not tell.
Result<ServerIdentity> identity_answer(const Reply& reply);

}}}  // namespace obol::v0::redis
