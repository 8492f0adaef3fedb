// The life of one call: what is done next, until it has its reply or its error.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "obol/error.hpp"
#include "redis/core/backoff.hpp"
#include "redis/core/deadline.hpp"
#include "redis/core/retry_budget.hpp"
#include "redis/core/verdict.hpp"
#include "redis/protocol/command.hpp"
#include "redis/protocol/reply.hpp"
#include "redis/protocol/reply_error.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// A state machine without socket, lock or clock. Whoever runs it does each action and reports what came of it, which
/// gives the next action. Times are given to it in order. It knows no nodes: "the next node" is the one that was
/// located or followed to last, "the node" is the one that the commands were sent to last.
///
/// It sends nothing after the deadline, repeats at most `most_at_once` times without a pause, and repeats only what a
/// Verdict or a CallFailure allows.
class CallMachine {
 public:
  using TimePoint = Deadline::Time::time_point;

  enum class Action {
    locate,          ///< Find the primary of the key: located, not_located.
    send,            ///< Send the commands to the next node: replied, failed.
    follow,          ///< Find the node that `redirect` names: followed.
    learn,           ///< The node is suspect; perhaps another has taken its place: learnt.
    load_functions,  ///< Load the functions into the node: loaded, not_loaded.
    load_scripts,    ///< The same as scripts; the node is one for scripts from now on.
    pause,           ///< Until `resume_at`: resumed.
    finish,          ///< The replies, or the failure if there is one, are the outcome.
  };

  /// Why the call ended without a good reply.
  struct Failure {
    Error error;
    bool names_no_server = false;  ///< The message does not say yet that it is about the node.
  };

  static constexpr int most_at_once = 5;

  /// The budget must outlive the machine.
  CallMachine(CallRules rules, RetryBudget& budget, TimePoint deadline)
      : rules_(rules), budget_(budget), deadline_(deadline) {}

  Action begin() const { return Action::locate; }

  Action located(TimePoint now) { return now < deadline_ ? Action::send : too_late(); }
  Action not_located(Error error, TimePoint now);

  /// All replies to the commands, in order.
  Action replied(std::span<const Reply> replies, std::span<const Command> commands) {
    for (const auto& reply : replies) {
      if (reply.is_error()) return refused(replies, commands, reply);
    }
    failure_.reset();
    return Action::finish;
  }

  /// `node_has_left`: the node is not part of the cluster any more. An attempt that the deadline cut short before
  /// anything was sent says less than the one before it, whose failure is kept. So does one that got no connection, if
  /// the one before it was sent.
  Action failed(CallFailure failure, bool node_has_left, TimePoint now);

  /// `is_found`: the next node is known.
  Action followed(bool is_found, TimePoint now);

  Action learnt(TimePoint now) { return repeat(Verdict::Next::after_pause, now); }

  Action loaded(TimePoint now);
  Action not_loaded(CallFailure failure, bool node_has_left, TimePoint now);

  Action resumed(TimePoint now) { return now < deadline_ ? next_attempt() : give_up(); }

  /// With `send`: ASKING goes in front of each command.
  bool asks() const { return asks_; }
  /// With `send`: after a time-out the call goes alone, since any call that was sent together with others may have held
  /// them up (a write while the server is paused for writes).
  Sharing sharing() const { return sharing_; }
  /// With `follow`.
  const Redirect& redirect() const { return *redirect_; }
  /// With `pause`.
  TimePoint resume_at() const { return resume_at_; }

  /// Connections that the last replies say must not be used again.
  Verdict::Drops drops() const { return drops_; }

  /// Of the last attempt; with `finish` that of the call. None if it succeeded. If an earlier attempt timed out, that
  /// of the call is `timeout` also if the last one was not sent.
  const std::optional<Failure>& failure() const { return failure_; }
  std::optional<Failure> take_failure() { return std::move(failure_); }

  /// True if commands were repeated on another node after some of them had been run on the first.
  bool was_split() const { return was_split_; }

 private:
  Action refused(std::span<const Reply> replies, std::span<const Command> commands, const Reply& refusal);
  Action repeat(Verdict::Next next, TimePoint now);
  Action too_late();
  Action give_up();
  Action next_attempt() const { return has_next_node_ ? Action::send : Action::locate; }
  bool says_wrongly_not_sent(const CallFailure& failure) const;
  void forget_next_node();

  const CallRules rules_;
  RetryBudget& budget_;
  const TimePoint deadline_;
  Sharing sharing_ = Sharing::allowed;
  bool has_next_node_ = false;  ///< It need not be located.
  bool asks_ = false;
  bool was_split_ = false;
  bool may_have_acted_ = false;  ///< An attempt was sent and has no answer.
  Verdict::Drops drops_ = Verdict::Drops::none;
  int times_at_once_ = 0;
  Backoff backoff_;
  TimePoint resume_at_{};
  std::optional<Redirect> redirect_;
  std::optional<Failure> failure_;
};

}}}  // namespace obol::v0::redis
