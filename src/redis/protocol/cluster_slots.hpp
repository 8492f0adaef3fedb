// Which primary serves which slots, as a node of a cluster tells it.
#pragma once

#include <cstdint>
#include <vector>

#include "obol/error.hpp"
#include "obol/server_address.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"

namespace obol { inline namespace v0 { namespace redis {

struct SlotRange {
  std::uint16_t first;
  std::uint16_t last;  ///< Inclusive.
  ServerAddress primary;

  bool operator==(const SlotRange&) const = default;
};

/// CLUSTER SLOTS: it names nodes as redirections do, with the port for connections like the one it came over.
/// Source: https://redis.io/docs/latest/commands/cluster-slots/
Command slots_question();

/// The ranges in its reply, one at least. A node that does not know its own address is the one that was `asked`.
/// `invalid_argument`: it is no node of a cluster; `unavailable`: it knows of no slots; `permission`, `protocol`.
Result<std::vector<SlotRange>> slots_answer(const Reply& reply, const ServerAddress& asked);

}}}  // namespace obol::v0::redis
