#include "store/delete_operation.hpp"

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
  auto command = mark ? revoke_all_command(stored_key.view(), *mark) : delete_all_command(stored_key.view());
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

}}  // namespace obol::v0
