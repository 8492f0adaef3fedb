// Commands with everything around them: a pooled connection, one deadline, the functions in place, repeats.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "obol/observer.hpp"
#include "obol/redis_options.hpp"
#include "redis/command.hpp"
#include "redis/deadline.hpp"
#include "redis/dialer.hpp"
#include "redis/function_library.hpp"
#include "redis/pool.hpp"
#include "redis/reply.hpp"
#include "redis/retry_budget.hpp"
#include "redis/server_version.hpp"

namespace obol::inline v0::redis {

/// What a look at one server gave.
struct Inspection {
  ServerVersion server;
  bool is_exposed = false;  ///< Unencrypted, to another machine.
  std::vector<Reply> replies;
};

/// Thread-safe. Every command given to it must be one that may be sent twice.
class Client {
 public:
  /// The options must be valid; see validate(RedisStoreOptions).
  Client(const RedisStoreOptions& options, FunctionLibrary functions);

  /// Opens the first connection and loads the functions, or, where this client may not, checks with `probe`, a call of
  /// one of them, that they are there. Tries once.
  Result<void> start(const Command& probe);

  /// The reply, never an error reply. Repeats, with growing jittered pauses, what was lost or cannot be served for now,
  /// until the deadline or until the retry budget is used up.
  Result<Reply> call(const Command& command, Deadline deadline);

  /// The same for commands that belong together: they go out in one send and are repeated together.
  Result<std::vector<Reply>> call_all(std::span<const Command> commands, Deadline deadline);

  /// Like call_all, but once, on one connection, error replies included.
  Result<Inspection> inspect(std::span<const Command> commands);

  Deadline new_deadline() const { return Deadline::after(timeouts_.total); }

  void close() { pool_.close(); }

 private:
  struct Attempt;
  Attempt try_once(std::span<const Command> commands, Deadline deadline);
  Attempt judge(Pool::Lease& lease, const Reply& error, Deadline deadline);
  Result<void> load_functions(Connection& connection, Deadline deadline);
  void report(const Connection& connection, std::string_view reason) const;

  const Timeouts timeouts_;
  const FunctionLoading loading_;
  const FunctionLibrary functions_;
  const std::shared_ptr<Observer> observer_;
  Dialer dialer_;
  RetryBudget budget_;
  Pool pool_;
};

}  // namespace obol::inline v0::redis
