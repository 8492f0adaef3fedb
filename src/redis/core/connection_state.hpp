// What one connection asks its server beside the commands, and whose answer each reply is.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/handshake_machine.hpp"
#include "redis/core/reauthentication.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/server_identity.hpp"
#include "redis/protocol/server_version.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Received bytes go in, replies to commands come out. What a transport sends begins with `questions_due`; their
/// answers are taken here. Any number of sends may be in the air. Not thread-safe.
class ConnectionState {
 public:
  using Time = Deadline::Time::time_point;

  /// `role_interval`: no reply of a server that must be a primary is older than this since its role was asked for.
  ConnectionState(std::size_t max_reply_bytes, std::chrono::milliseconds role_interval);

  /// The handshake is complete. `greeted_at`: when its first command was sent.
  void begin(const Introduction& introduction, Time greeted_at);

  /// From now on it authenticates again if other credentials than those of this generation are current.
  void keep_authenticated(CredentialsGeneration generation);

  /// True if questions_due() must be given the current credentials.
  bool must_authenticate(CredentialsGeneration current, Time now) const;

  /// What must stand in front of the commands that are sent now, encoded: AUTH if there are renewed credentials, then
  /// the question for the role if it is due. Mostly empty. `unanswered`: commands that were sent before and whose
  /// replies next_reply() has not given yet.
  std::string questions_due(Time now, const std::optional<CurrentCredentials>& renewed, std::size_t unanswered = 0);

  /// The same, but the role is asked for even if it is not due.
  std::string questions(Time now, const std::optional<CurrentCredentials>& renewed, std::size_t unanswered = 0);

  /// Takes bytes that were received.
  void feed(std::string_view bytes) { reader_.feed(bytes); }

  /// The next command's reply, an error reply included; nothing if it is not whole yet. Pushes and answers to our own
  /// questions are taken on the way. `unavailable` if the server is no primary any more or is another one, `protocol`,
  /// `too_large`. After an error it gives no reply any more, but that error.
  Result<std::optional<Reply>> next_reply();

  /// Takes replies until our own questions are answered; false if they are not yet. Only if no command was sent behind
  /// them. Errors as next_reply().
  Result<bool> take_answers();

  /// True until our own questions are answered.
  bool awaits_answers() const { return !questions_.empty(); }

  /// From now on `take` is given each push, in its place between the replies.
  void on_push(std::function<void(const Reply&)> take) { take_push_ = std::move(take); }

  /// Takes the reply to identity_question(). From then on a role that is told for another connection than this one, as
  /// by a proxy that has moved it to another server, is an error. After an error here the connection can still be used.
  Result<void> take_identity(const Reply& reply);

  /// Unknown before take_identity().
  ServerIdentity identity() const { return identity_; }

  const ServerVersion& server() const { return introduction_.server; }

  /// False if a server that must be a primary does not say so.
  bool is_role_told() const { return introduction_.role_source != RoleSource::nobody; }

  /// True if nothing has been received that was not given out, no answer to a question of our own is awaited, and
  /// there was no error.
  bool is_settled() const { return !reader_.has_unread_bytes() && questions_.empty() && !failure_; }

 private:
  enum class Question { authentication, role };
  enum class Owner { command, connection };
  struct Awaited {
    Question question;
    std::size_t behind;  ///< So many replies to commands, counted from the question in front of it.
  };

  void await(Question question, std::size_t unanswered);
  std::string authentication_of(const std::optional<CurrentCredentials>& renewed, Time now, std::size_t unanswered);
  Result<std::optional<Reply>> next_of_any();
  Result<Owner> take_if_own(const Reply& reply);
  Result<void> check_role(const Reply& role) const;

  ReplyReader reader_;
  std::chrono::milliseconds role_interval_;
  Introduction introduction_{};
  Time role_asked_at_{};
  Reauthentication reauthentication_;
  std::vector<Awaited> questions_;
  std::function<void(const Reply&)> take_push_;
  ServerIdentity identity_{};
  std::optional<Error> failure_;  ///< Why no reply is given any more.
};

}}}  // namespace obol::v0::redis
