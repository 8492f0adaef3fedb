// Looks announced addresses up in the map.
#include "redis/core/announced_address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "options/server_address.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::string_view every_host = "*";

bool fits(const ServerAddress& pattern, const ServerAddress& announced) {
  return (pattern.host == every_host || pattern.host == announced.host) &&
         (pattern.port == 0 || pattern.port == announced.port);
}

std::string_view kind_of(Announcer announcer) {
  switch (announcer) {
    case Announcer::cluster:
      return "the cluster";
    case Announcer::sentinel:
      return "the sentinels";
    case Announcer::primary:
      return "the primary";
  }
  return "a server";
}

std::string_view server_settings_of(Announcer announcer) {
  return announcer == Announcer::cluster
             ? "set cluster-announce-ip or cluster-announce-hostname on the nodes"
             : "set replica-announce-ip on the servers, and their addresses in the sentinels' configuration";
}

}  // namespace

ServerAddress reachable(const std::vector<AddressMapping>& map, const ServerAddress& announced) {
  const auto entry =
      std::ranges::find_if(map, [&](const AddressMapping& mapping) { return fits(mapping.announced, announced); });
  if (entry == map.end()) return announced;
  const auto& [host, port] = entry->reachable;
  return {.host = host == every_host ? announced.host : host, .port = port == 0 ? announced.port : port};
}

ConnectionOptions options_of_announced(ConnectionOptions options, const ServerAddress& announced) {
  const auto address = reachable(options.address_map, announced);
  options.unix_socket.clear();
  options.host = address.host;
  options.port = address.port;
  return options;
}

Error error_with_announcement(Error error, const AnnouncedAddress& announced, const ServerAddress& reached) {
  const auto& [address, announcer] = announced;
  error.message +=
      address == reached
          ? fmt::format(
                "; {} announced {}: if it cannot be reached from here, map it with connection.address_map, or {}",
                kind_of(announcer), name_of(address), server_settings_of(announcer))
          : fmt::format("; {} announced {}, which connection.address_map maps to {}", kind_of(announcer),
                        name_of(address), name_of(reached));
  return error;
}

}}}  // namespace obol::v0::redis
