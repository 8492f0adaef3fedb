// One call as the engine sees it: what is asked of a server, by when, and what came of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/server_clock.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// What is asked. All that it points to must live until the exchange has ended. Every command must be one that may be
/// sent twice.
struct Exchange {
  enum class Kind : std::uint8_t {
    shared,     ///< One command, which shares a connection and a send with those of other calls.
    exclusive,  ///< Commands on a connection that no other call uses meanwhile; see Client::call_all.
    each,       ///< A shared command for each of the keys; see Client::call_many.
    write,      ///< One shared command, which make_write() gives; see Client::write_until.
  };
  Kind kind = Kind::shared;
  bool may_ask_replica = false;         ///< Of a shared command that reads.
  std::string_view key{};               ///< Not of `each`.
  std::span<const std::string> keys{};  ///< Of `each`.
  std::span<const Command> commands{};  ///< Not of `write`.
  ServerClock::Expiry expiry{};         ///< Of `write`.
};

/// What a server said: a reply to each command, in order, and never an error reply.
struct Exchanged {
  std::span<const Reply> replies{};
  ServerIdentity answered_by{};
  bool is_past = false;  ///< Of a write: when it was answered, the server's clock had reached the expiry.
};

/// Makes exchanges, one after the other. From Engine::begin on it belongs to the engine, which completes it once: calls
/// Completion::complete() in the thread that drives, or posts it to the executor. Then it may begin again, with another
/// exchange, or destroy itself.
class EngineCall : public Completion {
 public:
  // Set before Engine::begin.
  Exchange exchange{};
  Deadline deadline = Deadline::at({});
  Executor* executor = nullptr;  ///< Null: the thread that drives.

  /// Of the exchange, once it has ended; valid until the next one begins.
  Result<Exchanged>& result() { return result_; }

 private:
  friend class Engine;

  /// The command of a write. Called in the thread that drives, several times if the call is repeated.
  virtual Command make_write(bool checks_clock) const = 0;

  Result<Exchanged> result_{};
};

}}}  // namespace obol::v0::redis
