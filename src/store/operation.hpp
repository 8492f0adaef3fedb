// What an operation is: a call of a store as a state machine, which says what to ask a server and is given the answers.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "near_cache/near_cache.hpp"
#include "obol/error.hpp"
#include "obol/keyring.hpp"
#include "obol/redis_store_options.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {

using Now = std::chrono::system_clock::time_point;

/// Its views are of the operation that made it, and valid until that is told what came of it.
struct Request {
  enum class Kind : std::uint8_t {
    call,      ///< One command.
    together,  ///< Commands that belong together: they go out in one send and are repeated together.
    each,      ///< Commands that have nothing to do with each other, each with its own key.
    write,     ///< One command, which make_write() gives; what it stores expires at `expiry`.
  };

  Kind kind = Kind::call;
  bool may_ask_replica = false;                ///< Of a call.
  std::string_view key{};                      ///< Of the hash, which says which server to ask; not of `each`.
  std::span<const std::string> keys{};         ///< Only of `each`: a key for each command.
  std::span<const redis::Command> commands{};  ///< Not of `write`.
  FieldExpiry expiry{};                        ///< Only of `write`.
};

/// What a server said: a reply to each command, in order, and never an error reply.
struct Answer {
  std::span<const redis::Reply> replies;
  redis::ServerIdentity answered_by{};
  bool is_past = false;  ///< Of a write: the server's clock had reached the expiry.
  Now now{};             ///< By the store's clock.
  Keyring keyring{};     ///< The store's, if the operation needs it.
};

/// What all operations of a store work with. The options must outlive the operation; their keyring is not used.
struct StoreContext {
  const RedisStoreOptions& options;
  NearCache* cache = nullptr;  ///< Null: it is off.
};

/// begin() is called once, and then take() or fail() for each request that this or take() gave. Once they give none,
/// the outcome is where the caller wanted it: a session costs as much to move as to decode. An operation has no socket,
/// lock or clock and starts nothing. It must be destroyed before the caller learns of the outcome, since it drops from
/// the near cache what a write has changed; it may be destroyed at any time before that.
template <class T>
concept StoreOperation = requires(T operation, const Answer& answer, Error error) {
  { operation.begin() } -> std::same_as<std::optional<Request>>;
  { operation.take(answer) } -> std::same_as<std::optional<Request>>;
  operation.fail(error);
  { T::needs_keyring } -> std::convertible_to<bool>;  ///< In its answers.
};

/// An operation that makes requests of the kind `write`.
template <class T>
concept WriteOperation = StoreOperation<T> && requires(const T operation) {
  /// `checks_clock`: it is refused if the server's clock has reached the expiry. May be called several times.
  { operation.make_write(true) } -> std::same_as<redis::Command>;
};

}}  // namespace obol::v0
