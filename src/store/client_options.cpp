// Hands a client its options, and its events on to an observer.
#include "store/client_options.hpp"

#include <memory>
#include <string_view>

#include "obol/observer.hpp"

namespace obol { inline namespace v0 {
namespace {

redis::ClientEvents events_for(const std::shared_ptr<Observer>& observer) {
  if (!observer) return {};
  const auto on_connection = [observer](std::string_view endpoint, std::string_view server, std::string_view reason) {
    const ConnectionEvent event{.endpoint = endpoint, .server = server, .reason = reason};
    if (reason.empty()) {
      observer->on_connection_opened(event);
    } else {
      observer->on_connection_closed(event);
    }
  };
  return {.on_connection = on_connection, .on_functions_loaded = [observer](std::string_view library) {
            observer->on_functions_loaded({.library = library});
          }};
}

}  // namespace

redis::ClientOptions client_options(const RedisStoreOptions& options) {
  return {.connection = options.connection,
          .pool = options.pool,
          .timeouts = options.timeouts,
          .replica_reads = options.replica_reads,
          .functions = options.functions,
          .max_reply_bytes = options.max_reply_bytes,
          .identifies_server = options.near_cache.enabled,
          .events = events_for(options.observer)};
}

}}  // namespace obol::v0
