// Runs commands: borrow, send, judge the answer, repeat where that can help.
#include "redis/client.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "redis/backoff.hpp"
#include "redis/reply_error.hpp"

namespace obol::inline v0::redis {
namespace {

bool is_transient(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
}

}  // namespace

/// What came of sending commands once.
struct Client::Attempt {
  Result<std::vector<Reply>> outcome;
  bool repeat = false;  ///< Another attempt can do better.
  bool pause = true;    ///< Wait a little first.
};

Client::Client(const RedisStoreOptions& options, FunctionLibrary functions)
    : timeouts_(options.timeouts),
      loading_(options.functions),
      functions_(functions),
      observer_(options.observer),
      dialer_(options.connection, options.maximum_reply_bytes),
      pool_(
          options.pool, options.timeouts.total,
          [this](Deadline deadline) { return dialer_.dial(deadline.within(timeouts_.connect)); },
          [this](const Connection& connection, std::string_view reason) { report(connection, reason); }) {}

// Opens the connection without the pool's patience: who starts a program wants to know at once.
Result<void> Client::start(const Command& probe) {
  const auto deadline = new_deadline();
  auto connection = dialer_.dial(deadline.within(timeouts_.connect));
  if (!connection) return std::unexpected(std::move(connection.error()));
  auto lease = pool_.adopt(std::move(*connection));
  if (loading_ == FunctionLoading::load_at_connect) {
    auto loaded = load_functions(lease.connection(), deadline);
    if (!loaded) lease.discard(loaded.error().message);
    return loaded;
  }
  auto reply = lease.connection().call(probe, deadline.within(timeouts_.command));
  if (!reply) {
    lease.discard(reply.error().message);
    return std::unexpected(dialer_.at_endpoint(std::move(reply.error())));
  }
  if (reply->is_error()) return std::unexpected(dialer_.at_endpoint(error_of(*reply)));
  return {};
}

Result<Reply> Client::call(const Command& command, Deadline deadline) {
  auto replies = call_all({&command, 1}, deadline);
  if (!replies) return std::unexpected(std::move(replies.error()));
  return std::move(replies->front());
}

Result<std::vector<Reply>> Client::call_all(std::span<const Command> commands, Deadline deadline) {
  Backoff backoff;
  for (;;) {
    auto attempt = try_once(commands, deadline);
    if (attempt.outcome) budget_.earn();
    if (!attempt.repeat || !budget_.spend()) return std::move(attempt.outcome);
    const auto pause_ends = Deadline::Time::now() + (attempt.pause ? backoff.next() : std::chrono::microseconds(0));
    if (pause_ends >= deadline.time()) return std::move(attempt.outcome);
    std::this_thread::sleep_until(pause_ends);
  }
}

Client::Attempt Client::try_once(std::span<const Command> commands, Deadline deadline) {
  auto lease = pool_.checkout(deadline);
  // The pool has tried again for as long as it made sense.
  if (!lease) return {.outcome = std::unexpected(std::move(lease.error()))};
  auto replies = lease->connection().call_all(commands, deadline.within(timeouts_.command));
  if (!replies) {
    lease->discard_all(replies.error().message);
    const bool transient = is_transient(replies.error());
    return {.outcome = std::unexpected(dialer_.at_endpoint(std::move(replies.error()))), .repeat = transient};
  }
  const auto error = std::ranges::find_if(*replies, &Reply::is_error);
  if (error == replies->end()) return {.outcome = std::move(replies)};
  return judge(*lease, *error, deadline);
}

Client::Attempt Client::judge(Pool::Lease& lease, const Reply& error, Deadline deadline) {
  auto failure = std::unexpected(dialer_.at_endpoint(error_of(error)));
  switch (remedy_for(error)) {
    case Remedy::fail:
      return {.outcome = std::move(failure)};
    case Remedy::reconnect:
      lease.discard_all(failure.error().message);
      return {.outcome = std::move(failure), .repeat = true};
    case Remedy::load_functions:
      break;
  }
  if (loading_ == FunctionLoading::require_loaded) return {.outcome = std::move(failure)};
  auto loaded = load_functions(lease.connection(), deadline);
  if (loaded) return {.outcome = std::move(failure), .repeat = true, .pause = false};
  lease.discard(loaded.error().message);
  const bool transient = is_transient(loaded.error());
  return {.outcome = std::unexpected(std::move(loaded.error())), .repeat = transient};
}

Result<Inspection> Client::inspect(std::span<const Command> commands) {
  const auto deadline = new_deadline();
  auto lease = pool_.checkout(deadline);
  if (!lease) return std::unexpected(std::move(lease.error()));
  auto& connection = lease->connection();
  auto replies = connection.call_all(commands, deadline.within(timeouts_.command));
  if (replies) {
    return Inspection{
        .server = connection.server(), .is_exposed = connection.is_exposed(), .replies = std::move(*replies)};
  }
  lease->discard(replies.error().message);
  return std::unexpected(dialer_.at_endpoint(std::move(replies.error())));
}

Result<void> Client::load_functions(Connection& connection, Deadline deadline) {
  auto loaded = functions_.load(connection, deadline.within(timeouts_.command));
  if (!loaded) return std::unexpected(dialer_.at_endpoint(std::move(loaded.error())));
  if (*loaded && observer_) observer_->on_functions_loaded({.library = functions_.name});
  return {};
}

void Client::report(const Connection& connection, std::string_view reason) const {
  if (!observer_) return;
  const std::string server = connection.server().name();
  const ConnectionEvent event{.endpoint = dialer_.endpoint(), .server = server, .reason = reason};
  if (reason.empty()) {
    observer_->on_connection_opened(event);
  } else {
    observer_->on_connection_closed(event);
  }
}

}  // namespace obol::inline v0::redis
