// Which topology and which sources of connections a client's options ask for.
#pragma once

#include <memory>

#include "redis/client/client_options.hpp"
#include "redis/connection/connection_source.hpp"
#include "redis/connection/credentials_source.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/topology/node.hpp"
#include "redis/topology/topology.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Who the client is to its servers, and to the sentinels.
struct ClientCredentials {
  std::shared_ptr<CredentialsSource> servers;
  std::shared_ptr<CredentialsSource> sentinels;
};

/// Connections to the one primary that there is; not for a cluster.
std::shared_ptr<ConnectionSource> make_primary_source(const ClientOptions& options,
                                                      const ClientCredentials& credentials);

/// `identifying`: where the connections to the one primary come from, if not from make_primary_source. Budget and
/// counts must outlive the topology.
std::unique_ptr<Topology> make_topology(const ClientOptions& options, std::shared_ptr<ConnectionSource> identifying,
                                        RetryBudget& budget, ConnectionCounts& counts,
                                        const ClientCredentials& credentials);

}}}  // namespace obol::v0::redis
