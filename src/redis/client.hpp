// Commands with everything around them: a pooled connection, one deadline, the functions in place, repeats.
#pragma once

#include <memory>
#include <string>

#include "obol/error.hpp"
#include "obol/observer.hpp"
#include "obol/redis_options.hpp"
#include "redis/command.hpp"
#include "redis/deadline.hpp"
#include "redis/function_library.hpp"
#include "redis/pool.hpp"
#include "redis/reply.hpp"

namespace obol::inline v0::redis {

/// Thread-safe. Every command given to it must be one that may be sent twice.
class Client {
 public:
  /// The options must be valid; see validate(RedisStoreOptions).
  Client(const RedisStoreOptions& options, FunctionLibrary functions);

  /// Opens the first connection and loads the functions, or, where this client may not, checks with `probe`, a call of
  /// one of them, that they are there. Tries once.
  Result<void> start(const Command& probe);

  /// The reply, never an error reply. Repeats, with growing jittered pauses, what was lost or cannot be served for now,
  /// until the deadline.
  Result<Reply> call(const Command& command, Deadline deadline);

  Deadline new_deadline() const { return Deadline::after(timeouts_.total); }

  void close() { pool_.close(); }

 private:
  struct Attempt;
  Attempt try_once(const Command& command, Deadline deadline);
  Result<void> load_functions(Connection& connection, Deadline deadline);
  void report(const Connection& connection, std::string_view reason) const;
  Error at_endpoint(Error error) const;

  const ConnectionOptions connection_;
  const Timeouts timeouts_;
  const std::size_t maximum_reply_bytes_;
  const FunctionLoading loading_;
  const FunctionLibrary functions_;
  const std::shared_ptr<Observer> observer_;
  const std::string endpoint_;
  Pool pool_;
};

}  // namespace obol::inline v0::redis
