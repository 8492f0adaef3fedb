// One connection that is ready for commands to a primary: commands go in, their own replies come out.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "obol/connection_options.hpp"
#include "obol/error.hpp"
#include "redis/connection/credentials_source.hpp"
#include "redis/core/connection_state.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/handshake_machine.hpp"
#include "redis/net/stream.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"
#include "redis/protocol/server_version.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A demoted primary goes on answering reads on old connections, so no answer is older than this since the last look.
constexpr std::chrono::milliseconds role_check_interval{1500};

/// The current credentials, if the connection must authenticate again with what it sends now. `source` may be null.
std::optional<CurrentCredentials> renewed_credentials(const ConnectionState& state, const CredentialsSource* source,
                                                      Deadline::Time::time_point now);

/// What a connection is made of, for a transport of another kind.
struct ConnectionParts {
  std::unique_ptr<Stream> stream;
  ConnectionState state;
  std::shared_ptr<CredentialsSource> credentials;  ///< See renewed_credentials().
  bool is_exposed = false;                         ///< Unencrypted, to another machine.
};

/// Not thread-safe: one caller at a time. After any error but a `timeout` of receive the connection is of no use and
/// must be closed: an answer that comes late would reach another caller.
class Connection {
 public:
  /// `is_exposed`: unencrypted, to another machine.
  Connection(std::unique_ptr<Stream> stream, std::size_t max_reply_bytes, bool is_exposed,
             std::chrono::milliseconds role_interval = role_check_interval);

  /// Introduces itself: HELLO 3 with AUTH and SETNAME, then SELECT. The server's version is checked, and its role if it
  /// must be a primary.
  Result<void> handshake(const ConnectionOptions& options, const UserCredentials& credentials, Peer peer,
                         Deadline deadline);

  /// From now on it authenticates again, in front of what it sends, once the source is past that generation. If the
  /// server refuses, the connection stays who it was, and tries again later.
  void keep_authenticated(std::shared_ptr<CredentialsSource> source, CredentialsGeneration generation);

  /// Sends encoded commands. If the server must be a primary and its role was last seen `role_interval` ago or
  /// more, the role is asked for in front of them. `unanswered`: commands that were sent before and whose replies
  /// next_reply() has not given yet.
  Result<void> send(std::string_view commands, Deadline deadline, std::size_t unanswered = 0);

  /// Waits for bytes of the replies and takes them in. After a `timeout` it may be called again.
  Result<void> receive(Deadline deadline);

  /// Takes in bytes that have come, without waiting. False if there are none; an error if the connection is lost.
  Result<bool> receive_if_ready();

  /// The next command's reply among what was received, an error reply included; nothing where it is not whole yet.
  /// `unavailable` where the server has become a replica, `protocol`.
  Result<std::optional<Reply>> next_reply();

  /// Sends the command and gives its reply, an error reply included. `timeout`, `unavailable`, `protocol`, `too_large`.
  Result<Reply> call(const Command& command, Deadline deadline);

  /// Several commands in one send; their replies in order, once a marker behind them has shown that they are theirs.
  Result<std::vector<Reply>> call_all(std::span<const Command> commands, Deadline deadline);

  /// Asks for the server's role: `unavailable` where it is no primary (any more).
  Result<void> confirm_role(Deadline deadline);

  /// Sends the question for the server's role. It is answered once awaits_answers() is false; next_reply() takes the
  /// answer, and gives the error if the server is no primary.
  Result<void> ask_role(std::size_t unanswered, Deadline deadline);
  bool awaits_answers() const { return state_.awaits_answers(); }

  /// Asks which server process this is. From then on a HELLO that is answered for another connection than this one, as
  /// by a proxy that has moved it to another server, is `unavailable`. After `permission` and `unsupported_server` the
  /// connection can still be used.
  Result<void> identify(Deadline deadline);

  /// Unknown before identify.
  ServerIdentity identity() const { return state_.identity(); }

  /// From now on `take` is given each push among what was received, in its place between the replies.
  void on_push(std::function<void(const Reply&)> take) { state_.on_push(std::move(take)); }

  /// True where it can be lent out again: the peer is there and nothing unread has come.
  bool is_reusable() const { return is_settled() && stream_->is_quiet(); }

  /// The same without asking the kernel.
  bool is_settled() const { return state_.is_settled(); }

  bool is_exposed() const { return is_exposed_; }
  const ServerVersion& server() const { return state_.server(); }
  bool is_role_told() const { return state_.is_role_told(); }
  int descriptor() const { return stream_->descriptor(); }

  /// Gives up its parts, which go on where it was: bytes that were received but not given out, and answers that are
  /// awaited, are in the state. Afterwards it can only be destroyed or assigned to.
  ConnectionParts release() &&;

 private:
  Result<Reply> read_reply(Deadline deadline);

  std::unique_ptr<Stream> stream_;
  std::unique_ptr<char[]> received_;  ///< What one read takes in; callers' stacks may be small.
  ConnectionState state_;
  bool is_exposed_;
  std::shared_ptr<CredentialsSource> credentials_;  ///< To authenticate with; null: never again.
};

}}}  // namespace obol::v0::redis
