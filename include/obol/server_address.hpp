// Host and port of a server.
#pragma once

#include <cstdint>
#include <string>

namespace obol { inline namespace v0 {

/// Where a server listens.
struct ServerAddress {
  std::string host{};         ///< A name or an IP address.
  std::uint16_t port = 6379;  ///< TCP port; 1 to 65535.

  /// True if all members are equal.
  bool operator==(const ServerAddress&) const = default;
};

}}  // namespace obol::v0
