#include "store/delete_operation.hpp"

#include <algorithm>

#include "redis/protocol/key_slot.hpp"

namespace obol { inline namespace v0 {

DeleteOperation DeleteOperation::one(const StoreContext& context, const SessionKey& key, Outcome& outcome) {
  auto stored_key = make_stored_key(context.options.key_prefix, key.user_id, key.type);
  auto command = delete_one_command(stored_key.view(), key.id);
  return {context, std::move(stored_key), std::move(command), outcome};
}

DeleteOperation DeleteOperation::all(const StoreContext& context, std::string_view user_id, std::string_view type,
                                     Now now, Outcome& outcome) {
  auto stored_key = make_stored_key(context.options.key_prefix, user_id, type);
  const auto mark = revocation_mark(context.options.policy, Operation::delete_all, now);
  auto command = delete_all_command(stored_key.view(), mark);
  return {context, std::move(stored_key), std::move(command), outcome};
}

DeleteOperation DeleteOperation::others(const StoreContext& context, const SessionKey& kept, Now now,
                                        Outcome& outcome) {
  auto stored_key = make_stored_key(context.options.key_prefix, kept.user_id, kept.type);
  const auto mark = revocation_mark(context.options.policy, Operation::delete_others, now);
  auto command = delete_others_command(stored_key.view(), kept.id, mark);
  return {context, std::move(stored_key), std::move(command), outcome};
}

std::optional<Request> DeleteOperation::begin() {
  if (durability_.replicas == 0) return Request{.key = stored_key_.view(), .commands = {commands_.data(), 1}};
  commands_[1] = barrier_command(stored_key_.view());
  commands_[2] = wait_command(durability_);
  return Request{.kind = Request::Kind::together, .key = stored_key_.view(), .commands = commands_};
}

std::optional<Request> DeleteOperation::take(const Answer& answer) {
  outcome_ = delete_result(answer.replies);
  return std::nullopt;
}

DeleteTypesOperation::DeleteTypesOperation(const StoreContext& context, std::string_view user_id,
                                           std::span<const std::string> types, Now now, Outcome& outcome)
    : durability_(context.options.delete_durability), outcome_(outcome) {
  const auto mark = revocation_mark(context.options.policy, Operation::delete_all, now);
  stored_keys_.reserve(types.size());
  commands_.reserve(types.size());
  for (const auto& type : types) {
    const auto& key = stored_keys_.emplace_back(stored_key(context.options.key_prefix, user_id, type));
    invalidations_.emplace_back(context.cache, key);
    commands_.push_back(delete_all_command(key, mark));
  }
}

// Each type is a command of its own, not a key of one command: while a cluster moves a slot, it refuses commands with
// several keys of which some have moved.
std::optional<Request> DeleteTypesOperation::begin() {
  if (durability_.replicas > 0) return next_slot();
  return Request{.kind = Request::Kind::each, .keys = stored_keys_, .commands = commands_};
}

std::optional<Request> DeleteTypesOperation::take(const Answer& answer) {
  const bool waits = durability_.replicas > 0;
  const auto deletes = answer.replies.size() - (waits ? 2 : 0);
  const auto deleted = delete_result(answer.replies, deletes);
  if (!deleted) {
    fail(deleted.error());
    return std::nullopt;
  }
  deleted_ += deletes;
  confirmed_ = std::min(confirmed_, deleted->confirmed_replicas);
  if (waits && deleted_ < commands_.size()) return next_slot();
  outcome_ = Deleted{.confirmed_replicas = confirmed_};
  return std::nullopt;
}

// A WAIT is for one server. All types of a user are in one slot, unless the user id ends the hash tag at once.
std::optional<Request> DeleteTypesOperation::next_slot() {
  const auto& key = stored_keys_[deleted_];
  const auto slot = redis::key_slot(key);
  waiting_.clear();
  for (auto i = deleted_; i < commands_.size() && redis::key_slot(stored_keys_[i]) == slot; ++i) {
    waiting_.push_back(commands_[i]);
  }
  waiting_.push_back(barrier_command(key));
  waiting_.push_back(wait_command(durability_));
  return Request{.kind = Request::Kind::together, .key = key, .commands = waiting_};
}

}}  // namespace obol::v0
