#include "redis/client/make_topology.hpp"

#include <utility>

#include "redis/connection/dialer.hpp"
#include "redis/connection/sentinel_dialer.hpp"
#include "redis/protocol/function_library.hpp"
#include "redis/topology/cluster.hpp"
#include "redis/topology/single_primary.hpp"

namespace obol { inline namespace v0 { namespace redis {

std::shared_ptr<ConnectionSource> make_primary_source(const ClientOptions& options,
                                                      const ClientCredentials& credentials) {
  const auto& connection = options.connection;
  const auto maximum = options.max_reply_bytes;
  if (connection.sentinel.sentinels.empty()) {
    return std::make_shared<Dialer>(connection, maximum, Dialer::Place{.credentials = credentials.servers});
  }
  return std::make_shared<SentinelDialer>(connection, maximum, credentials.servers, credentials.sentinels);
}

std::unique_ptr<Topology> make_topology(const ClientOptions& options, std::shared_ptr<ConnectionSource> identifying,
                                        RetryBudget& budget, ConnectionCounts& counts,
                                        const ClientCredentials& credentials) {
  const auto& connection = options.connection;
  const auto maximum = options.max_reply_bytes;
  Node::Settings settings{
      .pool = options.pool,
      .timeouts = options.timeouts,
      .events = options.events,
      .budget = budget,
      .counts = counts,
      .functions = options.functions == FunctionLoading::scripts ? FunctionForm::scripts : FunctionForm::library,
      .max_lag = options.replica_reads.max_lag};
  if (options.replica_reads.enabled) {
    settings.replica_source = [connection, maximum, servers = credentials.servers](const ServerAddress& address) {
      return Dialer::to_announced(connection, maximum,
                                  {.peer = Peer::replica,
                                   .credentials = servers,
                                   .announced = AnnouncedAddress{.address = address, .by = Announcer::primary}});
    };
  }
  if (!connection.cluster.seeds.empty())
    return std::make_unique<Cluster>(connection, maximum, credentials.servers, settings);
  return std::make_unique<SinglePrimary>(
      settings, identifying ? std::move(identifying) : make_primary_source(options, credentials));
}

}}}  // namespace obol::v0::redis
