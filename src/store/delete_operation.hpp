// Operations that delete sessions, and wait for replicas if the store is told to.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "near_cache/near_cache.hpp"
#include "obol/session_store.hpp"
#include "redis/protocol/command.hpp"
#include "store/operation.hpp"
#include "store/session_commands.hpp"

namespace obol { inline namespace v0 {

class DeleteOperation {
 public:
  using Outcome = Result<Deleted>;
  static constexpr bool needs_keyring = false;

  // `now` is for a revocation mark. The outcome must outlive the operation, the rest need not.
  static DeleteOperation one(const StoreContext& context, const SessionKey& key, Outcome& outcome);
  static DeleteOperation all(const StoreContext& context, std::string_view user_id, std::string_view type, Now now,
                             Outcome& outcome);
  static DeleteOperation others(const StoreContext& context, const SessionKey& kept, Now now, Outcome& outcome);

  DeleteOperation(const DeleteOperation&) = delete;
  DeleteOperation& operator=(const DeleteOperation&) = delete;
  ~DeleteOperation() = default;

  std::optional<Request> begin();
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { outcome_ = std::unexpected(std::move(error)); }

 private:
  DeleteOperation(const StoreContext& context, StoredKey stored_key, redis::Command command, Outcome& outcome)
      : durability_(context.options.delete_durability),
        outcome_(outcome),
        stored_key_(std::move(stored_key)),
        invalidation_(context.cache, stored_key_.view()),
        commands_{std::move(command)} {}

  const DeleteDurability& durability_;
  Outcome& outcome_;
  const StoredKey stored_key_;
  const Invalidation invalidation_;
  std::array<redis::Command, 3> commands_;  ///< The delete; and, if it waits, a barrier and a WAIT.
};

/// delete_all of several types.
class DeleteTypesOperation {
 public:
  using Outcome = Result<Deleted>;
  static constexpr bool needs_keyring = false;

  /// As for DeleteOperation. There is at least one type.
  DeleteTypesOperation(const StoreContext& context, std::string_view user_id, std::span<const std::string> types,
                       Now now, Outcome& outcome);

  DeleteTypesOperation(const DeleteTypesOperation&) = delete;
  DeleteTypesOperation& operator=(const DeleteTypesOperation&) = delete;
  ~DeleteTypesOperation() = default;

  std::optional<Request> begin();
  std::optional<Request> take(const Answer& answer);
  void fail(Error error) { outcome_ = std::unexpected(std::move(error)); }

 private:
  /// The deletes of the next types that share a slot, and a WAIT.
  std::optional<Request> next_slot();

  const DeleteDurability& durability_;
  Outcome& outcome_;
  std::vector<std::string> stored_keys_{};  ///< Of each type.
  std::deque<Invalidation> invalidations_{};
  std::vector<redis::Command> commands_{};  ///< A delete for each type.
  std::vector<redis::Command> waiting_{};   ///< Some of them, a barrier and a WAIT.
  std::size_t deleted_ = 0;                 ///< So many types.
  std::size_t confirmed_ = std::numeric_limits<std::size_t>::max();
};

}}  // namespace obol::v0
