// Addresses of servers that other servers announce, and where those can be reached from here.
#pragma once

#include <vector>

#include "obol/connection_options.hpp"
#include "obol/error.hpp"

namespace obol { inline namespace v0 { namespace redis {

enum class Announcer {
  cluster,
  sentinel,
  primary,  ///< Of its replicas.
};

struct AnnouncedAddress {
  ServerAddress address;
  Announcer by;
};

/// Where it can be reached: what the first entry that fits says, or the address itself.
ServerAddress reachable(const std::vector<AddressMapping>& map, const ServerAddress& announced);

/// The options of a connection to an announced server, which is by itself.
ConnectionOptions options_of_announced(ConnectionOptions options, const ServerAddress& announced);

/// The error of connecting to it, with who announced it and what can be done if it cannot be reached. `reached`: where
/// that was tried.
Error error_with_announcement(Error error, const AnnouncedAddress& announced, const ServerAddress& reached);

}}}  // namespace obol::v0::redis
