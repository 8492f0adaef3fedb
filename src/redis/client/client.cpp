// Runs commands: find the server, borrow, send, judge the answer, repeat where that can help.
#include "redis/client/client.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <thread>
#include <utility>

#include "redis/connection/dialer.hpp"
#include "redis/connection/sentinel_dialer.hpp"
#include "redis/core/backoff.hpp"
#include "redis/protocol/reply_error.hpp"
#include "redis/protocol/server_time.hpp"
#include "redis/topology/cluster.hpp"
#include "redis/topology/single_primary.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

/// Repeats without a pause: redirections, and functions that had to be loaded.
constexpr int most_at_once = 5;

/// Who the client is to its servers, and to the sentinels.
struct Sources {
  std::shared_ptr<CredentialsSource> credentials;
  std::shared_ptr<CredentialsSource> sentinel_credentials;
};

std::shared_ptr<ConnectionSource> primary_source(const ClientOptions& options, const Sources& sources) {
  const auto& connection = options.connection;
  const auto maximum = options.max_reply_bytes;
  if (connection.sentinel.sentinels.empty()) {
    return std::make_shared<Dialer>(connection, maximum, Dialer::Place{.credentials = sources.credentials});
  }
  return std::make_shared<SentinelDialer>(connection, maximum, sources.credentials, sources.sentinel_credentials);
}

std::unique_ptr<Topology> topology_for(const ClientOptions& options, std::shared_ptr<ConnectionSource> identifying,
                                       RetryBudget& budget, ConnectionCounts& counts, const Sources& sources) {
  const auto& credentials = sources.credentials;
  const auto& connection = options.connection;
  const auto maximum = options.max_reply_bytes;
  Node::Settings settings{.pool = options.pool,
                          .timeouts = options.timeouts,
                          .events = options.events,
                          .budget = budget,
                          .counts = counts,
                          .max_lag = options.replica_reads.max_lag};
  if (options.replica_reads.enabled) {
    settings.replica_source = [connection, maximum, credentials](const ServerAddress& address) {
      return Dialer::to_announced(connection, maximum,
                                  {.peer = Peer::replica,
                                   .credentials = credentials,
                                   .announced = AnnouncedAddress{.address = address, .by = Announcer::primary}});
    };
  }
  if (!connection.cluster.seeds.empty()) return std::make_unique<Cluster>(connection, maximum, credentials, settings);
  return std::make_unique<SinglePrimary>(settings,
                                         identifying ? std::move(identifying) : primary_source(options, sources));
}

/// With ASKING in front of each.
std::vector<Command> asked(std::span<const Command> commands) {
  std::vector<Command> all;
  for (const auto& command : commands) {
    all.push_back({"ASKING"});
    all.push_back(command);
  }
  return all;
}

/// Without the replies of those.
std::vector<Reply> unasked(std::vector<Reply> replies) {
  std::vector<Reply> own;
  for (std::size_t i = 1; i < replies.size(); i += 2) own.push_back(std::move(replies[i]));
  return own;
}

}  // namespace

/// What came of sending something once.
template <class T>
struct Client::Attempt {
  Result<T> outcome;
  Next next = Next::stop;       ///< What can do better, and the retry budget allows.
  Target target{};              ///< Of the next attempt.
  bool was_run_partly = false;  ///< Some commands were, the others sent elsewhere.
};

Client::Client(const ClientOptions& options, FunctionLibrary functions)
    : timeouts_(options.timeouts),
      loading_(options.functions),
      functions_(functions),
      events_(options.events),
      credentials_(std::make_shared<CredentialsSource>(options.connection)),
      sentinel_credentials_(std::make_shared<CredentialsSource>(options.connection.sentinel)),
      identifying_source_(options.identifies_server ? std::make_shared<IdentifyingSource>(primary_source(
                                                          options, {credentials_, sentinel_credentials_}))
                                                    : nullptr),
      topology_(topology_for(options, identifying_source_, budget_, counts_, {credentials_, sentinel_credentials_})) {}

// One primary that serves is enough: functions are loaded into the others when they are first needed there.
Result<void> Client::start(std::string_view probe_key, const MakeProbe& make_probe) {
  const auto deadline = new_deadline();
  if (auto started = topology_->start(deadline); !started) return started;
  std::optional<Error> last_error;
  bool has_started = false;
  for (const auto& node : topology_->nodes()) {
    auto started = start_on(*node, make_probe(topology_->key_at(*node, probe_key)), deadline);
    if (!started && !is_transient(started.error())) return started;
    if (!started) last_error = std::move(started.error());
    has_started = has_started || started.has_value();
    if (has_started && loading_ == FunctionLoading::load_at_connect) return {};
  }
  if (has_started || !last_error) return {};
  return std::unexpected(std::move(*last_error));
}

// Opens the connection without the pool's patience: who starts a program wants to know at once. A server at maxmemory
// loads no functions but runs those it has, so that a host that starts then can still log users out.
Result<void> Client::start_on(Node& node, const Command& probe, Deadline deadline) {
  auto connection = node.source().dial(deadline.within(timeouts_.connect));
  if (!connection) return std::unexpected(std::move(connection.error()));
  auto lease = node.pool().adopt(std::move(*connection));
  Result<void> loaded;
  if (loading_ == FunctionLoading::load_at_connect) {
    const auto load = functions_.load_command();
    const auto reply = ask(node, lease, {&load, 1}, deadline);
    if (!reply) return std::unexpected(reply.error());
    loaded = take_loaded(node, reply->front());
    if (loaded || loaded.error().code != ErrorCode::out_of_memory) return loaded;
  }
  const auto reply = ask(node, lease, {&probe, 1}, deadline);
  if (!reply) return std::unexpected(reply.error());
  if (!reply->front().is_error()) return {};
  if (!loaded) return loaded;
  return std::unexpected(node.source().at_endpoint(error_of(reply->front(), probe.name())));
}

// As a batch: better to hear now than under load that batches are not permitted. A connection that fails is not used
// again.
Result<std::vector<Reply>> Client::ask(Node& node, Lease& lease, std::span<const Command> commands,
                                       Deadline deadline) const {
  auto replies = lease.connection().call_all(commands, deadline.within(timeouts_.command));
  if (replies) return replies;
  lease.discard(replies.error().message);
  return std::unexpected(node.source().at_endpoint(std::move(replies.error())));
}

// When the deadline was set is near enough to now, and spares a look at the clock.
void Client::renew_credentials_if_due(Deadline deadline) {
  credentials_->renew_if_due(deadline.time() - timeouts_.total);
}

template <class TryOnce>
auto Client::repeat(std::string_view key, Deadline deadline, TryOnce try_once)
    -> decltype(try_once(std::declval<const Target&>()).outcome) {
  using Attempted = decltype(try_once(std::declval<const Target&>()));
  renew_credentials_if_due(deadline);
  Backoff backoff;
  int times_at_once = 0;
  Target target;
  const auto attempt_once = [&]() -> Attempted {
    if (!target.node) {
      auto node = topology_->node_of(key, deadline);
      if (!node) {
        const auto next = is_transient(node.error()) ? Next::after_pause : Next::stop;
        return {.outcome = std::unexpected(std::move(node.error())), .next = next};
      }
      target = {.node = std::move(*node)};
    }
    return try_once(target);
  };
  for (;;) {
    auto attempt = attempt_once();
    if (attempt.next == Next::stop) return std::move(attempt.outcome);
    target = std::move(attempt.target);
    if (attempt.next == Next::at_once && ++times_at_once <= most_at_once && !deadline.passed()) continue;
    const auto pause_ends = Deadline::Time::now() + backoff.next();
    if (pause_ends >= deadline.time()) return std::move(attempt.outcome);
    std::this_thread::sleep_until(pause_ends);
  }
}

Result<Reply> Client::call(std::string_view key, const Command& command, Deadline deadline,
                           ServerIdentity* answered_by) {
  auto sharing = Sharing::allowed;
  return repeat(key, deadline,
                [&](const Target& target) { return try_call(target, command, deadline, sharing, answered_by); });
}

Result<Reply> Client::call_replica(std::string_view key, const Command& command, Deadline deadline,
                                   ServerIdentity* answered_by) {
  if (auto reply = ask_replica(key, command, deadline)) return std::move(*reply);
  return call(key, command, deadline, answered_by);
}

// Once only: the primary is the better one to ask after that.
std::optional<Reply> Client::ask_replica(std::string_view key, const Command& command, Deadline deadline) {
  renew_credentials_if_due(deadline);
  const auto node = topology_->node_of(key, deadline);
  if (!node || (*node)->replicas() == nullptr) return std::nullopt;
  auto& replicas = *(*node)->replicas();
  const auto ends = deadline.within(timeouts_.command);
  const auto replica = replicas.pick((*node)->pool(), ends);
  if (!replica) return std::nullopt;
  auto reply = replica->pool().call(command, ends);
  if (reply && !reply->is_error()) return std::move(*reply);
  replicas.avoid(replica);
  return std::nullopt;
}

Result<std::vector<Reply>> Client::call_all(std::string_view key, std::span<const Command> commands, Deadline deadline,
                                            ServerIdentity* answered_by) {
  bool was_split = false;
  auto replies = repeat(key, deadline, [&](const Target& target) {
    auto attempt = try_call_all(target, commands, deadline, answered_by);
    was_split = was_split || attempt.was_run_partly;
    return attempt;
  });
  if (replies && was_split) replies->back().integer = 0;
  return replies;
}

template <class To, class From, class Map>
Client::Attempt<To> Client::mapped(Attempt<From> attempt, Map map) {
  auto outcome = attempt.outcome ? Result<To>(map(std::move(*attempt.outcome)))
                                 : std::unexpected(std::move(attempt.outcome.error()));
  return {.outcome = std::move(outcome), .next = attempt.next, .target = std::move(attempt.target)};
}

Result<Client::Written> Client::write_until(std::string_view key, ServerClock::Expiry expiry, const MakeWrite& make,
                                            Deadline deadline) {
  auto sharing = Sharing::allowed;
  return repeat(key, deadline, [&](const Target& target) {
    auto& clock = target.node->clock();
    const bool asks = clock.must_be_asked(expiry, Deadline::Time::now(), deadline.time());
    auto attempt = asks ? try_write_and_ask(target, expiry, make(true), deadline)
                        : mapped<Written>(try_call(target, make(false), deadline, sharing),
                                          [](Reply reply) { return Written{.reply = std::move(reply)}; });
    if (!attempt.outcome) clock.forget();
    return attempt;
  });
}

Client::Attempt<Client::Written> Client::try_write_and_ask(const Target& target, ServerClock::Expiry expiry,
                                                           const Command& command, Deadline deadline) {
  const auto asked = Deadline::Time::now();
  return mapped<Written>(try_call_all(target, std::array{command, Command{"TIME"}}, deadline),
                         [&](std::vector<Reply> replies) {
                           const auto theirs = server_time(replies.back());
                           if (theirs) target.node->clock().learn(*theirs, asked);
                           return Written{.reply = std::move(replies.front()), .is_past = !theirs || *theirs >= expiry};
                         });
}

// Where no answer came in time, any one of the calls that flew together may have held up the others (a write while the
// server is paused for writes): from then on each goes by itself.
Client::Attempt<Reply> Client::try_call(const Target& target, const Command& command, Deadline deadline,
                                        Sharing& sharing, ServerIdentity* answered_by) {
  if (target.is_asked) {
    return mapped<Reply>(try_call_all(target, {&command, 1}, deadline),
                         [](std::vector<Reply> replies) { return std::move(replies.front()); });
  }
  auto reply = target.node->pool().call(command, deadline, sharing, answered_by);
  if (!reply && reply.error().error.code == ErrorCode::timeout) sharing = Sharing::alone;
  if (!reply) return failed<Reply>(target, std::move(reply.error()), deadline);
  if (reply->is_error()) return judge<Reply>(target, command, *reply, deadline);
  return {.outcome = std::move(*reply)};
}

Client::Attempt<std::vector<Reply>> Client::try_call_all(const Target& target, std::span<const Command> commands,
                                                         Deadline deadline, ServerIdentity* answered_by) {
  using Outcome = std::vector<Reply>;
  std::optional<Reply> refusal;
  const Command* refused_command = nullptr;
  bool was_run_partly = false;
  {
    auto lease = target.node->pool().checkout(deadline);
    // The pool has tried again for as long as it made sense.
    if (!lease) return failed<Outcome>(target, {.error = std::move(lease.error())}, deadline);
    const auto ends = deadline.within(timeouts_.command);
    auto replies = target.is_asked ? lease->connection().call_all(asked(commands), ends)
                                   : lease->connection().call_all(commands, ends);
    if (!replies) {
      lease->discard_for(replies.error());
      const bool may_repeat = is_transient(replies.error()) && budget_.spend();
      return failed<Outcome>(
          target, {.error = std::move(replies.error()), .came_from_server = true, .may_repeat = may_repeat}, deadline);
    }
    if (target.is_asked) replies = unasked(std::move(*replies));
    const auto refused = std::ranges::find_if(*replies, &Reply::is_error);
    if (refused == replies->end()) {
      budget_.earn(replies->size());
      if (answered_by != nullptr) *answered_by = lease->connection().identity();
      return {.outcome = std::move(replies)};
    }
    refused_command = &commands[static_cast<std::size_t>(refused - replies->begin())];
    if (remedy_for(*refused) == Remedy::reconnect)
      lease->discard_all(error_of(*refused, refused_command->name()).message);
    was_run_partly = remedy_for(*refused) == Remedy::follow && refused != replies->begin();
    refusal = std::move(*refused);
  }
  auto attempt = judge<Outcome>(target, *refused_command, *refusal, deadline);
  attempt.was_run_partly = was_run_partly;
  return attempt;
}

template <class T>
Client::Attempt<T> Client::judge(const Target& target, const Command& command, const Reply& refusal,
                                 Deadline deadline) {
  const auto& node = target.node;
  Attempt<T> attempt{.outcome = std::unexpected(node->source().at_endpoint(error_of(refusal, command.name())))};
  switch (remedy_for(refusal)) {
    case Remedy::fail:
      break;
    case Remedy::reconnect:
      if (!budget_.spend()) break;
      topology_->suspect(node, deadline);
      attempt.next = Next::after_pause;
      break;
    case Remedy::wait:
      topology_->suspect(node, deadline);
      attempt.next = Next::after_pause;
      break;
    case Remedy::follow:
      return follow<T>(target, command, refusal, deadline);
    case Remedy::load_functions:
      if (loading_ == FunctionLoading::require_loaded) break;
      if (auto loaded = load_functions(*node, deadline); !loaded) {
        return failed<T>(target, std::move(loaded.error()), deadline);
      }
      attempt.next = Next::at_once;
      attempt.target = target;
  }
  return attempt;
}

template <class T>
Client::Attempt<T> Client::follow(const Target& target, const Command& command, const Reply& refusal,
                                  Deadline deadline) {
  const auto redirect = redirect_of(refusal);
  if (!redirect || !topology_->is_sharded()) {
    return {.outcome = std::unexpected(target.node->source().at_endpoint(error_of(refusal, command.name())))};
  }
  auto node = topology_->follow(*redirect, target.node, deadline);
  const auto next = node ? Next::at_once : Next::after_pause;
  return {.outcome = std::unexpected(target.node->source().at_endpoint(
              {ErrorCode::unavailable, "the cluster is moving this user's slot; try again soon"})),
          .next = next,
          .target = {.node = std::move(node), .is_asked = redirect->kind == Redirect::Kind::ask}};
}

// A call that waited at a node which has left the cluster was not sent.
template <class T>
Client::Attempt<T> Client::failed(const Target& target, CallFailure failure, Deadline deadline) {
  auto& node = *target.node;
  if (failure.error.code == ErrorCode::closed && node.has_left()) {
    return {.outcome = std::unexpected(
                node.source().at_endpoint({ErrorCode::unavailable, "the server has left the cluster; try again soon"})),
            .next = Next::at_once};
  }
  if (failure.may_repeat) topology_->suspect(target.node, deadline);
  if (failure.came_from_server) failure.error = node.source().at_endpoint(std::move(failure.error));
  return {.outcome = std::unexpected(std::move(failure.error)),
          .next = failure.may_repeat ? Next::after_pause : Next::stop};
}

// A node's commands fly together; those it refuses, or all if the connection breaks, are then made one by one.
Result<std::vector<Reply>> Client::call_many(std::span<const std::string> keys, std::span<const Command> commands,
                                             Deadline deadline, ServerIdentity* answered_by) {
  if (commands.empty()) return {};
  if (!topology_->is_sharded()) return call_all(keys.front(), commands, deadline, answered_by);
  renew_credentials_if_due(deadline);
  std::map<NodeHandle, std::vector<std::size_t>> parts;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto node = topology_->node_of(keys[i], deadline);
    parts[node ? std::move(*node) : nullptr].push_back(i);
  }
  std::vector<Reply> replies(commands.size());
  for (const auto& [node, part] : parts) {
    std::vector<Command> together;
    for (const auto i : part) together.push_back(commands[i]);
    auto got = node ? try_together(*node, together, deadline) : std::nullopt;
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (got && !(*got)[i].is_error()) {
        replies[part[i]] = std::move((*got)[i]);
        continue;
      }
      auto reply = call(keys[part[i]], commands[part[i]], deadline);
      if (!reply) return std::unexpected(std::move(reply.error()));
      replies[part[i]] = std::move(*reply);
    }
  }
  return replies;
}

std::optional<std::vector<Reply>> Client::try_together(Node& node, std::span<const Command> commands,
                                                       Deadline deadline) {
  const auto give_up = deadline.within(timeouts_.command);
  auto lease = node.pool().checkout(give_up);
  if (!lease) return std::nullopt;
  auto replies = lease->connection().call_all(commands, give_up);
  if (replies) return std::move(*replies);
  lease->discard_for(replies.error());
  return std::nullopt;
}

PoolStatistics Client::pool_statistics() {
  PoolStatistics sum{.opened = counts_.opened, .failed = counts_.failed};
  for (const auto& node : topology_->nodes()) node->add_statistics_to(sum);
  return sum;
}

// Over any connection: they all lead to the same server. Whoever comes back with an error that may pass has tried
// itself.
std::expected<void, CallFailure> Client::load_functions(Node& node, Deadline deadline) {
  bool may_repeat = false;
  auto loaded = node.loading().run(deadline, [&]() -> Result<void> {
    auto reply = node.pool().call(functions_.load_command(), deadline);
    if (reply) {
      auto taken = take_loaded(node, *reply);
      may_repeat = !taken && is_transient(taken.error()) && budget_.spend();
      return taken;
    }
    may_repeat = reply.error().may_repeat;
    if (!reply.error().came_from_server) return std::unexpected(std::move(reply.error().error));
    return std::unexpected(node.source().at_endpoint(std::move(reply.error().error)));
  });
  if (loaded) return {};
  return std::unexpected(CallFailure{.error = std::move(loaded.error()), .may_repeat = may_repeat});
}

Result<void> Client::take_loaded(Node& node, const Reply& reply) const {
  auto loaded = functions_.load_result(reply);
  if (!loaded) return std::unexpected(node.source().at_endpoint(std::move(loaded.error())));
  if (*loaded && events_.on_functions_loaded) events_.on_functions_loaded(functions_.name);
  return {};
}

Result<std::vector<Inspection>> Client::inspect(std::string_view key, const MakeCommands& make_commands) {
  const auto deadline = new_deadline();
  std::vector<Inspection> inspections;
  for (const auto& node : topology_->nodes()) {
    inspections.push_back(inspect(*node, make_commands(topology_->key_at(*node, key)), deadline));
  }
  const auto has_failed = [](const Inspection& inspection) { return inspection.error.has_value(); };
  if (std::ranges::all_of(inspections, has_failed)) return std::unexpected(std::move(*inspections.front().error));
  return inspections;
}

Inspection Client::inspect(Node& node, std::span<const Command> commands, Deadline deadline) {
  Inspection inspection{.endpoint = node.source().endpoint()};
  auto lease = node.pool().checkout(deadline);
  if (!lease) {
    inspection.error = std::move(lease.error());
    return inspection;
  }
  auto replies = ask(node, *lease, commands, deadline);
  if (!replies) {
    inspection.error = std::move(replies.error());
    return inspection;
  }
  inspection.server = lease->connection().server();
  inspection.is_exposed = lease->connection().is_exposed();
  inspection.replies = std::move(*replies);
  return inspection;
}

}}}  // namespace obol::v0::redis
