// Reads the reply of CLUSTER SLOTS.
#include "redis/protocol/cluster_slots.hpp"

#include <string_view>
#include <tuple>
#include <utility>

#include "redis/protocol/key_slot.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

using Kind = Reply::Kind;

std::unexpected<Error> malformed() {
  return std::unexpected(Error{ErrorCode::protocol, "the reply of CLUSTER SLOTS is malformed"});
}

bool is_number_up_to(const Reply& reply, std::int64_t most) {
  return reply.kind == Kind::integer && reply.integer >= 0 && reply.integer <= most;
}

/// Its address where it has no name to prefer, which it shows as "?".
std::string_view address_behind(const Reply& node) {
  if (node.elements.size() < 4) return {};
  const auto& details = node.elements[3].elements;
  for (std::size_t i = 0; i + 1 < details.size(); i += 2) {
    if (details[i].text == "ip") return details[i + 1].text;
  }
  return {};
}

Result<ServerAddress> read_node(const Reply& node, const ServerAddress& asked) {
  if (node.kind != Kind::list || node.elements.size() < 2) return malformed();
  const auto& [host, port] = std::tie(node.elements[0], node.elements[1]);
  const bool is_host = host.kind == Kind::nil || host.kind == Kind::text;
  if (!is_host || !is_number_up_to(port, 65'535) || port.integer == 0) return malformed();
  std::string_view name = host.text;
  if (name == "?") name = address_behind(node);
  return ServerAddress{.host = name.empty() ? asked.host : std::string(name),
                       .port = static_cast<std::uint16_t>(port.integer)};
}

}  // namespace

Command slots_question() { return {"CLUSTER", "SLOTS"}; }

Result<std::vector<SlotRange>> slots_answer(const Reply& reply, const ServerAddress& asked) {
  if (reply.is_error()) {
    if (reply.text.starts_with("ERR This instance has cluster support disabled")) {
      return std::unexpected(Error{ErrorCode::invalid_argument,
                                   "this server is not a node of a cluster; set ConnectionOptions::host (redis://)"});
    }
    auto error = error_of(reply, slots_question().name());
    if (error.code == ErrorCode::permission) error.message += "; a cluster needs +cluster|slots";
    return std::unexpected(std::move(error));
  }
  if (reply.kind != Kind::list) return malformed();
  std::vector<SlotRange> ranges;
  for (const auto& range : reply.elements) {
    const auto& parts = range.elements;
    if (range.kind != Kind::list || parts.size() < 3 || !is_number_up_to(parts[0], slot_count - 1) ||
        !is_number_up_to(parts[1], slot_count - 1) || parts[1].integer < parts[0].integer) {
      return malformed();
    }
    auto primary = read_node(parts[2], asked);
    if (!primary) return std::unexpected(std::move(primary.error()));
    ranges.push_back({.first = static_cast<std::uint16_t>(parts[0].integer),
                      .last = static_cast<std::uint16_t>(parts[1].integer),
                      .primary = std::move(*primary)});
  }
  if (!ranges.empty()) return ranges;
  return std::unexpected(Error{ErrorCode::unavailable, "this node knows no slots; is it part of a cluster?"});
}

}}}  // namespace obol::v0::redis
