// Does what a CallMachine says, over topology and pools.
#include "redis/client/client.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <thread>
#include <utility>

#include "redis/client/make_topology.hpp"
#include "redis/core/call_machine.hpp"
#include "redis/core/verdict.hpp"
#include "redis/protocol/reply_error.hpp"
#include "redis/protocol/server_time.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

using Time = Deadline::Time;

/// ASKING goes in front of each.
std::vector<Command> with_asking(std::span<const Command> commands) {
  std::vector<Command> all;
  for (const auto& command : commands) {
    all.push_back({"ASKING"});
    all.push_back(command);
  }
  return all;
}

/// True if what the server has refused is a call of a function, or loading functions, and scripts will do.
bool is_told_to_load_scripts(const Reply& reply, const Command& command, CallRules rules) {
  return reply.is_error() && verdict_for(reply, rules, command.name()).next == Verdict::Next::load_scripts;
}

bool are_told_to_load_scripts(std::span<const Reply> replies, std::span<const Command> commands, CallRules rules) {
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (is_told_to_load_scripts(replies[i], commands[i], rules)) return true;
  }
  return false;
}

std::vector<Reply> without_asking(std::vector<Reply> replies) {
  std::vector<Reply> own;
  for (std::size_t i = 1; i < replies.size(); i += 2) own.push_back(std::move(replies[i]));
  return own;
}

}  // namespace

Client::Client(const ClientOptions& options, FunctionLibrary functions)
    : timeouts_(options.timeouts),
      loading_(options.functions),
      rules_{.follows_redirects = !options.connection.cluster.seeds.empty(),
             .loads_functions = options.functions != FunctionLoading::require_loaded},
      functions_(functions),
      events_(options.events),
      credentials_(std::make_shared<CredentialsSource>(options.connection)),
      sentinel_credentials_(std::make_shared<CredentialsSource>(options.connection.sentinel)),
      identifying_source_(options.identifies_server ? std::make_shared<IdentifyingSource>(make_primary_source(
                                                          options, {credentials_, sentinel_credentials_}))
                                                    : nullptr),
      topology_(make_topology(options, identifying_source_, budget_, counts_, {credentials_, sentinel_credentials_})) {}

// One primary that serves is enough: functions are loaded into the others when they are first needed there.
Result<void> Client::start(std::string_view probe_key, const MakeProbe& make_probe, const MakeNeeds& make_needs) {
  const auto deadline = new_deadline();
  if (auto started = topology_->start(deadline); !started) return std::unexpected(not_sent(std::move(started.error())));
  std::optional<Error> last_error;
  bool has_started = false;
  for (const auto& node : topology_->nodes()) {
    const auto key = topology_->key_at(*node, probe_key);
    auto started = start_on(*node, make_probe(key), [&] { return make_needs(key); }, deadline);
    if (!started && !is_transient(started.error())) return started;
    if (!started) last_error = std::move(started.error());
    has_started = has_started || started.has_value();
    if (has_started && loading_ != FunctionLoading::require_loaded) return {};
  }
  if (has_started || !last_error) return {};
  return std::unexpected(std::move(*last_error));
}

// Opens the connection without the pool's patience: who starts a program wants to know at once. A server at maxmemory
// loads no functions but runs those it has, so that a host that starts then can still log users out. Whether it has
// scripts shows when one is called.
Result<void> Client::start_on(Node& node, const Command& probe,
                              const std::function<std::vector<Capability>()>& make_needs, Deadline deadline) {
  auto connection = node.source().dial(deadline.within(timeouts_.connect));
  if (!connection) return std::unexpected(not_sent(std::move(connection.error())));
  auto lease = node.pool().adopt(std::move(*connection));
  auto needed = lease.connection().server().is_tested() ? std::vector<Capability>() : make_needs();
  const auto ask_server = [&](std::span<const Command> commands) {
    return ask_and_check(node, lease, needed, commands, deadline);
  };
  Result<void> loaded;
  if (loading_ == FunctionLoading::load_at_connect) {
    loaded = load_into(node, ask_server);
    if (loaded || loaded.error().code != ErrorCode::out_of_memory) return loaded;
  }
  const auto sent = script_for(node, probe).value_or(probe);
  const auto reply = ask_server({&sent, 1});
  if (!reply) return std::unexpected(reply.error());
  if (!reply->front().is_error()) return {};
  if (is_told_to_load_scripts(reply->front(), sent, rules_)) return load_scripts_into(node, ask_server);
  if (!loaded) return loaded;
  return std::unexpected(node.source().at_endpoint(error_of(reply->front(), sent.name())));
}

template <class Ask>
Result<void> Client::load_into(Node& node, Ask ask_server) const {
  if (node.function_form() != FunctionForm::library) return load_scripts_into(node, ask_server);
  const auto command = functions_.load_command();
  const auto replies = ask_server({&command, 1});
  if (!replies) return std::unexpected(replies.error());
  if (is_told_to_load_scripts(replies->front(), command, rules_)) return load_scripts_into(node, ask_server);
  return take_loaded(node, functions_.load_result(replies->front()));
}

// All of them: what has lost one has lost the others, too.
template <class Ask>
Result<void> Client::load_scripts_into(Node& node, Ask ask_server) const {
  node.use_scripts();
  auto form = node.function_form();
  auto replies = ask_server(functions_.script_load_commands(form));
  if (replies && form == FunctionForm::scripts && is_no_lua(*replies)) {
    node.use_plain_scripts();
    form = FunctionForm::plain_scripts;
    replies = ask_server(functions_.script_load_commands(form));
  }
  if (!replies) return std::unexpected(replies.error());
  if (auto loaded = functions_.script_load_result(*replies, form); !loaded) {
    return std::unexpected(node.source().at_endpoint(std::move(loaded.error())));
  }
  return take_loaded(node, true);
}

Result<void> Client::take_loaded(Node& node, Result<bool> loaded) const {
  if (!loaded) return std::unexpected(node.source().at_endpoint(std::move(loaded.error())));
  if (*loaded && events_.on_functions_loaded) events_.on_functions_loaded(functions_.name);
  return {};
}

// As a batch: better to hear now than under load that batches are not permitted. A connection that fails is not used
// again.
Result<std::vector<Reply>> Client::ask(Node& node, Lease& lease, std::span<const Command> commands,
                                       Deadline deadline) const {
  auto replies = lease.connection().call_all(commands, deadline.within(timeouts_.command));
  if (replies) return replies;
  lease.discard_for(replies.error());
  return std::unexpected(node.source().at_endpoint(std::move(replies.error())));
}

// When the deadline was set is near enough to now, and spares a look at the clock.
Deadline::Time::time_point Client::begin(Deadline deadline) {
  const auto begun_at = deadline.time() - timeouts_.total;
  credentials_->renew_if_due(begun_at);
  return begun_at;
}

Result<std::vector<Reply>> Client::ask_and_check(Node& node, Lease& lease, std::vector<Capability>& needed,
                                                 std::span<const Command> commands, Deadline deadline) const {
  if (needed.empty()) return ask(node, lease, commands, deadline);
  std::vector<Command> all;
  all.reserve(needed.size() + commands.size());
  for (const auto& capability : needed) all.push_back(capability.command);
  all.insert(all.end(), commands.begin(), commands.end());
  auto replies = ask(node, lease, all, deadline);
  if (!replies) return replies;
  const auto count = needed.size();
  if (auto able = check_capabilities(lease.connection().server(), needed, std::span(*replies).first(count)); !able) {
    return std::unexpected(node.source().at_endpoint(std::move(able.error())));
  }
  replies->erase(replies->begin(), replies->begin() + static_cast<std::ptrdiff_t>(count));
  needed.clear();
  return replies;
}

template <class Exchange>
Result<void> Client::run(std::string_view key, Deadline deadline, Exchange exchange) {
  using enum CallMachine::Action;
  const auto begun_at = begin(deadline);
  CallMachine machine(rules_, budget_, deadline.time());
  NodeHandle node;
  NodeHandle next;
  for (auto action = machine.begin();;) {
    switch (action) {
      case locate:
        if (auto located = topology_->node_of(key, deadline)) {
          next = std::move(*located);
          // One primary is always known: to locate it takes no time.
          action = machine.located(topology_->is_sharded() ? Time::now() : begun_at);
        } else {
          action = machine.not_located(std::move(located.error()), Time::now());
        }
        break;
      case send:
        if (next) node = std::move(next);
        action = exchange(*node, machine);
        break;
      case follow:
        next = topology_->follow(machine.redirect(), node, deadline);
        action = machine.followed(next != nullptr, Time::now());
        break;
      case learn:
        topology_->suspect(node, deadline);
        action = machine.learnt(Time::now());
        break;
      case load_scripts:
        node->use_scripts();
        [[fallthrough]];
      case load_functions:
        if (auto loaded = load_functions_into(*node, deadline)) {
          action = machine.loaded(Time::now());
        } else {
          action = machine.not_loaded(std::move(loaded.error()), node->has_left(), Time::now());
        }
        break;
      case pause:
        std::this_thread::sleep_until(machine.resume_at());
        action = machine.resumed(Time::now());
        break;
      case finish:
        auto failure = machine.take_failure();
        if (!failure) return {};
        if (!failure->names_no_server) return std::unexpected(std::move(failure->error));
        return std::unexpected(node->source().at_endpoint(std::move(failure->error)));
    }
  }
}

CallMachine::Action Client::exchange(Node& node, CallMachine& machine, const Command& command, Deadline deadline,
                                     Answer<Reply>& answer) {
  if (machine.asks()) {
    Answer<std::vector<Reply>> answers;
    const auto action = exchange_together(node, machine, {&command, 1}, deadline, answers);
    if (!answers.replies.empty()) answer.replies = std::move(answers.replies.front());
    return action;
  }
  const auto script = script_for(node, command);
  const auto& sent = script ? *script : command;
  auto reply = node.pool().call(sent, deadline, machine.sharing(), answer.answered_by);
  if (!reply) return machine.failed(std::move(reply.error()), node.has_left(), Time::now());
  answer.replies = std::move(*reply);
  return machine.replied({&answer.replies, 1}, {&sent, 1});
}

CallMachine::Action Client::exchange_together(Node& node, CallMachine& machine, std::span<const Command> commands,
                                              Deadline deadline, Answer<std::vector<Reply>>& answer) {
  auto lease = node.pool().checkout(deadline);
  if (!lease) return machine.failed({.error = std::move(lease.error())}, node.has_left(), Time::now());
  const auto ends = deadline.within(timeouts_.command);
  const auto form = functions_.as_sent(commands, node.function_form());
  const auto sent = form.commands;
  auto& connection = lease->connection();
  auto replies = machine.asks() ? connection.call_all(with_asking(sent), ends) : connection.call_all(sent, ends);
  if (!replies) {
    lease->discard_for(replies.error());
    return machine.failed(lost(std::move(replies.error()), budget_), node.has_left(), Time::now());
  }
  answer.replies = machine.asks() ? without_asking(std::move(*replies)) : std::move(*replies);
  const auto action = machine.replied(answer.replies, sent);
  if (!machine.failure()) {
    budget_.earn(sent.size());
    if (answer.answered_by != nullptr) *answer.answered_by = connection.identity();
  } else if (machine.drops() != Verdict::Drops::none) {
    lease->discard_all(machine.failure()->error.message);
  }
  return action;
}

Result<Reply> Client::call(std::string_view key, const Command& command, Deadline deadline,
                           ServerIdentity* answered_by) {
  Answer<Reply> answer{.answered_by = answered_by};
  auto done = run(key, deadline,
                  [&](Node& node, CallMachine& machine) { return exchange(node, machine, command, deadline, answer); });
  if (!done) return std::unexpected(std::move(done.error()));
  return std::move(answer.replies);
}

Result<Reply> Client::call_replica(std::string_view key, const Command& command, Deadline deadline,
                                   ServerIdentity* answered_by) {
  if (auto reply = ask_replica(key, command, deadline)) return std::move(*reply);
  return call(key, command, deadline, answered_by);
}

// Once only: the primary is the better one to ask after that.
std::optional<Reply> Client::ask_replica(std::string_view key, const Command& command, Deadline deadline) {
  begin(deadline);
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
  Answer<std::vector<Reply>> answer{.answered_by = answered_by};
  bool was_split = false;
  auto done = run(key, deadline, [&](Node& node, CallMachine& machine) {
    const auto action = exchange_together(node, machine, commands, deadline, answer);
    was_split = machine.was_split();
    return action;
  });
  if (!done) return std::unexpected(std::move(done.error()));
  if (was_split) answer.replies.back().integer = 0;
  return std::move(answer.replies);
}

Result<Client::Written> Client::write_until(std::string_view key, ServerClock::Expiry expiry, const MakeWrite& make,
                                            Deadline deadline) {
  Written written;
  auto done = run(key, deadline, [&](Node& node, CallMachine& machine) {
    auto& clock = node.clock();
    const bool asks = clock.must_be_asked(expiry, Time::now(), deadline.time());
    const auto action = asks ? write_and_ask(node, machine, expiry, make(true), deadline, written)
                             : write(node, machine, make(false), deadline, written);
    if (machine.failure()) clock.forget();
    return action;
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return written;
}

CallMachine::Action Client::write(Node& node, CallMachine& machine, const Command& command, Deadline deadline,
                                  Written& written) {
  Answer<Reply> answer;
  const auto action = exchange(node, machine, command, deadline, answer);
  written = {.reply = std::move(answer.replies)};
  return action;
}

CallMachine::Action Client::write_and_ask(Node& node, CallMachine& machine, ServerClock::Expiry expiry,
                                          const Command& command, Deadline deadline, Written& written) {
  const auto asked = Time::now();
  Answer<std::vector<Reply>> answer;
  const auto action = exchange_together(node, machine, std::array{command, Command{"TIME"}}, deadline, answer);
  if (machine.failure()) return action;
  const auto theirs = server_time(answer.replies.back());
  if (theirs) node.clock().learn(*theirs, asked);
  written.reply = std::move(answer.replies.front());
  written.is_past = was_past(written.reply, theirs, expiry);
  return action;
}

// A node's commands fly together; those it refuses, or all if the connection breaks, are then made one by one.
Result<std::vector<Reply>> Client::call_many(std::span<const std::string> keys, std::span<const Command> commands,
                                             Deadline deadline, ServerIdentity* answered_by) {
  if (commands.empty()) return {};
  if (!topology_->is_sharded()) return call_all(keys.front(), commands, deadline, answered_by);
  begin(deadline);
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
  auto replies = lease->connection().call_all(functions_.as_sent(commands, node.function_form()).commands, give_up);
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
std::expected<void, CallFailure> Client::load_functions_into(Node& node, Deadline deadline) {
  bool may_repeat = false;
  auto loaded = node.loading().run(deadline, [&]() -> Result<void> {
    auto lease = node.pool().checkout(deadline);
    if (!lease) return std::unexpected(std::move(lease.error()));
    const auto loaded_now =
        load_into(node, [&](std::span<const Command> commands) { return ask(node, *lease, commands, deadline); });
    may_repeat = !loaded_now && goes_on(verdict_for(loaded_now.error()), budget_);
    return loaded_now;
  });
  if (loaded) return {};
  return std::unexpected(CallFailure{.error = std::move(loaded.error()), .may_repeat = may_repeat});
}

std::optional<Command> Client::script_for(const Node& node, const Command& command) const {
  return functions_.as_script(command, node.function_form());
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
  const auto ask_as = [&](FunctionForm form) {
    inspection.functions = form;
    return ask(node, *lease, functions_.as_sent(commands, form).commands, deadline);
  };
  auto replies = ask_as(node.function_form());
  if (replies && inspection.functions == FunctionForm::library &&
      are_told_to_load_scripts(*replies, commands, rules_)) {
    node.use_scripts();
    replies = ask_as(node.function_form());
  }
  if (!replies) {
    inspection.error = std::move(replies.error());
    return inspection;
  }
  inspection.server = lease->connection().server();
  inspection.is_exposed = lease->connection().is_exposed();
  inspection.is_role_told = lease->connection().is_role_told();
  inspection.replies = std::move(*replies);
  return inspection;
}

}}}  // namespace obol::v0::redis
