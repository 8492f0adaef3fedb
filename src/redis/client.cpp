// Runs commands: borrow, send, judge the answer, repeat where that can help.
#include "redis/client.hpp"

#include <fmt/format.h>

#include <utility>

#include "redis/backoff.hpp"
#include "redis/reply_error.hpp"

namespace obol::inline v0::redis {

/// What came of sending a command once.
struct Client::Attempt {
  Result<Reply> outcome;
  bool repeat = false;  ///< Another attempt can do better.
  bool pause = true;    ///< Wait a little first.
};

Client::Client(const RedisStoreOptions& options, FunctionLibrary functions)
    : connection_(options.connection),
      timeouts_(options.timeouts),
      maximum_reply_bytes_(options.maximum_reply_bytes),
      loading_(options.functions),
      functions_(functions),
      observer_(options.observer),
      endpoint_(endpoint_name(options.connection)),
      pool_(
          options.pool,
          [this](Deadline deadline) {
            return Connection::open(connection_, maximum_reply_bytes_, deadline.within(timeouts_.connect));
          },
          [this](const Connection& connection, std::string_view reason) { report(connection, reason); }) {}

Result<void> Client::start(const Command& probe) {
  const auto deadline = new_deadline();
  if (loading_ == FunctionLoading::load_at_connect) {
    auto lease = pool_.checkout(deadline);
    if (!lease) return std::unexpected(std::move(lease.error()));
    auto loaded = load_functions(lease->connection(), deadline);
    if (!loaded) lease->discard(loaded.error().message);
    return loaded;
  }
  auto attempt = try_once(probe, deadline);
  if (!attempt.outcome) return std::unexpected(std::move(attempt.outcome.error()));
  return {};
}

Result<Reply> Client::call(const Command& command, Deadline deadline) {
  Backoff backoff;
  for (;;) {
    auto attempt = try_once(command, deadline);
    if (!attempt.repeat) return std::move(attempt.outcome);
    if (attempt.pause && !backoff.pause(deadline)) return std::move(attempt.outcome);
    if (deadline.passed()) return std::move(attempt.outcome);
  }
}

Client::Attempt Client::try_once(const Command& command, Deadline deadline) {
  const auto is_transient = [](const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timeout;
  };
  auto lease = pool_.checkout(deadline);
  if (!lease) {
    const bool transient = is_transient(lease.error());
    return {.outcome = std::unexpected(std::move(lease.error())), .repeat = transient};
  }
  auto reply = lease->connection().call(command, deadline.within(timeouts_.command));
  if (!reply) {
    lease->discard(reply.error().message);
    const bool transient = is_transient(reply.error());
    return {.outcome = std::unexpected(at_endpoint(std::move(reply.error()))), .repeat = transient};
  }
  if (!reply->is_error()) return {.outcome = std::move(reply)};

  auto failure = std::unexpected(at_endpoint(error_of(*reply)));
  switch (remedy_for(*reply)) {
    case Remedy::fail:
      return {.outcome = std::move(failure)};
    case Remedy::reconnect:
      lease->discard(failure.error().message);
      return {.outcome = std::move(failure), .repeat = true};
    case Remedy::load_functions:
      break;
  }
  if (loading_ == FunctionLoading::require_loaded) return {.outcome = std::move(failure)};
  auto loaded = load_functions(lease->connection(), deadline);
  if (loaded) return {.outcome = std::move(failure), .repeat = true, .pause = false};
  lease->discard(loaded.error().message);
  const bool transient = is_transient(loaded.error());
  return {.outcome = std::unexpected(std::move(loaded.error())), .repeat = transient};
}

Result<void> Client::load_functions(Connection& connection, Deadline deadline) {
  auto loaded = functions_.load(connection, deadline.within(timeouts_.command));
  if (!loaded) return std::unexpected(at_endpoint(std::move(loaded.error())));
  if (*loaded && observer_) observer_->on_functions_loaded({.library = functions_.name});
  return {};
}

void Client::report(const Connection& connection, std::string_view reason) const {
  if (!observer_) return;
  const std::string server = connection.server().name();
  const ConnectionEvent event{.endpoint = endpoint_, .server = server, .reason = reason};
  if (reason.empty()) {
    observer_->on_connection_opened(event);
  } else {
    observer_->on_connection_closed(event);
  }
}

Error Client::at_endpoint(Error error) const {
  error.message = fmt::format("{}: {}", endpoint_, error.message);
  return error;
}

}  // namespace obol::inline v0::redis
