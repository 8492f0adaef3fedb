// Joins a pool to where its connections come from.
#include "redis/topology/node.hpp"

#include <new>
#include <string>
#include <utility>

namespace obol { inline namespace v0 { namespace redis {

namespace {

std::unique_ptr<Replicas> replicas_of(const Node::Settings& settings) {
  if (!settings.replica_source) return nullptr;
  auto own = settings;
  own.replica_source = nullptr;
  return std::make_unique<Replicas>(settings.max_lag,
                                    [own, source = settings.replica_source](const ServerAddress& address) {
                                      return std::make_shared<Node>(own, source(address));
                                    });
}

}  // namespace

Node::Node(const Settings& settings, std::shared_ptr<ConnectionSource> source,
           std::function<void(Deadline)> on_unreachable)
    : events_(settings.events),
      counts_(settings.counts),
      connect_timeout_(settings.timeouts.connect),
      on_unreachable_(std::move(on_unreachable)),
      source_(std::move(source)),
      function_form_(settings.functions),
      pool_(
          settings.pool, settings.timeouts, settings.budget, [this](Deadline deadline) { return dial(deadline); },
          [this](const Connection& connection, std::string_view reason) { report(connection.server(), reason); }),
      replicas_(replicas_of(settings)) {}

Result<Connection> Node::dial(Deadline deadline) {
  auto connection = source_->dial(deadline.within(connect_timeout_));
  if (connection) return connection;
  ++counts_.failed;
  if (is_transient(connection.error()) && on_unreachable_) on_unreachable_(deadline);
  return connection;
}

void Node::add_statistics_to(PoolStatistics& sum) {
  const auto own = pool_.statistics();
  sum.idle += own.idle;
  sum.used += own.used;
  sum.waiting += own.waiting;
  sum.maximum += own.maximum;
  sum.in_flight += own.in_flight;
  sum.flights += own.flights;
  if (!replicas_) return;
  for (const auto& replica : replicas_->nodes()) replica->add_statistics_to(sum);
}

void Node::leave() {
  has_left_ = true;
  close();
}

void Node::close() {
  pool_.close();
  if (replicas_) replicas_->close();
}

// What there is no memory to tell goes untold: a connection that closes must not fail for that.
void Node::report(const ServerVersion& server, std::string_view reason) const noexcept {
  if (reason.empty()) ++counts_.opened;
  if (!events_.on_connection) return;
  try {
    const std::string endpoint = source_->endpoint();
    const std::string name = server.name();
    events_.on_connection(endpoint, name, reason);
  } catch (const std::bad_alloc&) {
    return;
  }
}

}}}  // namespace obol::v0::redis
