// Operations that store a session: a create or an update, and a new id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "redis/protocol/command.hpp"
#include "store/operation.hpp"
#include "store/session_write.hpp"
#include "store/thinning_out.hpp"

namespace obol { inline namespace v0 {

/// A create takes one round trip, and a second one if the id is taken: by somebody else, or by its own first attempt
/// whose answer was lost. With a SessionPolicy it takes more if the user has so many sessions that the server may not
/// count them in one go.
class UpsertOperation {
 public:
  static constexpr bool needs_keyring = false;

  /// `evicted`: the ids of evicted sessions are added, also if the call fails after that.
  UpsertOperation(WriteContext context, Session& session, std::vector<std::string>& evicted, WriteOutcome& outcome);
  UpsertOperation(const UpsertOperation&) = delete;
  UpsertOperation& operator=(const UpsertOperation&) = delete;
  ~UpsertOperation() = default;

  std::optional<Request> begin() { return write_.begin(write_.session().id); }
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { write_.fail(std::move(error)); }
  redis::Command make_write(bool checks_clock) const;

 private:
  enum class Step : std::uint8_t { update, create, compare, managed_create, thin_out };

  static Step first_step(const Session& session, const SessionPolicy& policy);
  std::optional<Request> take_created(const Answer& answer);
  void take_standing(const Answer& answer);
  std::optional<Request> take_managed(const Answer& answer);
  std::optional<Request> take_thinned(const Answer& answer);
  std::optional<Request> make_room();
  std::optional<Request> ask(Step step, redis::Command command);

  SessionWrite write_;
  std::vector<std::string>& evicted_;
  Step step_;
  Counting counting_ = Counting::unless_crowded;
  std::optional<ThinningOut> thinning_out_{};
  redis::Command command_{};
};

class RotateOperation {
 public:
  static constexpr bool needs_keyring = false;

  /// `new_id` must be random.
  RotateOperation(WriteContext context, Session& session, std::string new_id, Now now, WriteOutcome& outcome);
  RotateOperation(const RotateOperation&) = delete;
  RotateOperation& operator=(const RotateOperation&) = delete;
  ~RotateOperation() = default;

  std::optional<Request> begin() { return write_.begin(new_id_); }
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { write_.fail(std::move(error)); }
  redis::Command make_write(bool checks_clock) const;

 private:
  SessionWrite write_;
  std::string new_id_;
  std::optional<RevocationMark> mark_;
};

}}  // namespace obol::v0
