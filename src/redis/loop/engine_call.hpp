// One call as the engine sees it: what is asked of a server, by when, and what came of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/intrusive_queue.hpp"
#include "obol/error.hpp"
#include "obol/executor.hpp"
#include "redis/core/call_machine.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/server_clock.hpp"
#include "redis/loop/loop_timer.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"
#include "redis/topology/node.hpp"

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

class LoopNode;
struct PassengerFlight;

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

  EngineCall();
  ~EngineCall() override;

  /// The engine's.
  QueueLinks<EngineCall> links{};

 private:
  friend class Engine;

  /// Where the call is while it belongs to the engine.
  enum class Stage : std::uint8_t {
    begun,      ///< The engine has not seen it yet.
    queued,     ///< Waits for a connection to a node.
    in_flight,  ///< Waits for replies.
    aside,      ///< Waits for what is done in another thread.
    paused,     ///< Before it is repeated.
    split,      ///< Its parts are on their way.
    ended,
  };

  /// What another thread that cancels the call finds.
  enum class Wanted : std::uint8_t {
    living,
    cancelled,  ///< The call is in the inbox' list. Set under its lock.
    ended,
  };

  class Part;
  struct Parts;

  /// The command of a write. Called in the thread that drives, several times if the call is repeated.
  virtual Command make_write(bool checks_clock) const = 0;

  /// Commands that it counts as while it is not answered.
  std::size_t weight() const { return std::max<std::size_t>(exchange.commands.size(), 1); }

  /// Those of the exchange before.
  void forget_parts() noexcept;

  Result<Exchanged> result_{};
  Stage stage_ = Stage::ended;
  bool is_with_replica_ = false;  ///< Of `queued` and `in_flight`.
  bool may_have_acted_ = false;   ///< It was sent, and has been put back since.
  bool was_split_ = false;        ///< See CallMachine::was_split.
  bool goes_alone_ = false;       ///< Its reply and those of others were too large together.
  std::atomic<Wanted> wanted_{Wanted::ended};
  LoopTimer timer_{.owner = this};
  IntrusiveQueue<EngineCall>* queue_ = nullptr;  ///< Where it waits.
  PassengerFlight* flight_ = nullptr;            ///< Of `in_flight`.
  std::optional<CallMachine> machine_;
  NodeHandle node_;  ///< It was sent there last, or to a replica of it.
  NodeHandle next_;  ///< It will be sent there; null: to the same as before.
  NodeHandle replica_;
  Reply reply_;                 ///< Of one command,
  std::vector<Reply> replies_;  ///< or of several.
  std::unique_ptr<Parts> parts_;
  EngineCall* whole_ = nullptr;  ///< Of a part.
};

}}}  // namespace obol::v0::redis
