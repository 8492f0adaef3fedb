// What a client tells its owner while it works.
#pragma once

#include <functional>
#include <string_view>

namespace obol { inline namespace v0 { namespace redis {

/// Each may be empty. They are called from many threads, and never under a lock.
struct ClientEvents {
  /// A connection was opened (`reason` is empty) or closed.
  std::function<void(std::string_view endpoint, std::string_view server, std::string_view reason)> on_connection{};
  /// The function library, or the scripts in its place, were loaded into a server.
  std::function<void(std::string_view library)> on_functions_loaded{};
};

}}}  // namespace obol::v0::redis
