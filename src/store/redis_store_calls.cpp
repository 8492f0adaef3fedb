// Runs the operations of a RedisStore over its client, which blocks. Nothing is decided here.
#include <utility>

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "store/delete_operation.hpp"
#include "store/read_operations.hpp"
#include "store/redis_store_implementation.hpp"
#include "store/write_operations.hpp"

namespace obol { inline namespace v0 {

template <class Run>
void RedisStore::Implementation::run(Run&& operation) {
  const auto deadline = parts_.client().new_deadline();
  for (auto request = operation.begin(); request;) request = ask(operation, *request, deadline);
}

template <StoreOperation Asking>
std::optional<Request> RedisStore::Implementation::ask(Asking& operation, const Request& request,
                                                       redis::Deadline deadline) {
  redis::ServerIdentity answered_by;
  const auto answer = [&](std::span<const redis::Reply> replies, bool is_past = false) {
    return operation.take({.replies = replies,
                           .answered_by = answered_by,
                           .is_past = is_past,
                           .now = parts_.options().clock(),
                           .keyring = Asking::needs_keyring ? parts_.keyring() : Keyring()});
  };
  const auto fail = [&](Error& error) {
    operation.fail(std::move(error));
    return std::optional<Request>();
  };
  if constexpr (WriteOperation<Asking>) {
    if (request.kind == Request::Kind::write) {
      const auto make = [&operation](bool checks_clock) { return operation.make_write(checks_clock); };
      auto written = parts_.client().write_until(request.key, request.expiry, make, deadline);
      return written ? answer({&written->reply, 1}, written->is_past) : fail(written.error());
    }
  }
  if (request.kind == Request::Kind::call) {
    const auto call = request.may_ask_replica ? &redis::Client::call_replica : &redis::Client::call;
    auto reply = (parts_.client().*call)(request.key, request.commands.front(), deadline, &answered_by);
    return reply ? answer({&*reply, 1}) : fail(reply.error());
  }
  auto replies = request.kind == Request::Kind::each
                     ? parts_.client().call_many(request.keys, request.commands, deadline, &answered_by)
                     : parts_.client().call_all(request.key, request.commands, deadline, &answered_by);
  return replies ? answer(*replies) : fail(replies.error());
}

Result<std::optional<Session>> RedisStore::Implementation::get(const SessionKey& key, bool& found_near) {
  Result<std::optional<Session>> session(std::in_place);
  GetOperation operation(parts_.context_to_read(), key, ReadFrom::primary, session);
  found_near = parts_.has_near_cache() && operation.find_near(parts_.options().clock());
  if (!found_near) run(operation);
  return session;
}

Result<std::optional<Session>> RedisStore::Implementation::get_from_replica(const SessionKey& key) {
  Result<std::optional<Session>> session(std::in_place);
  run(GetOperation(parts_.context(), key, ReadFrom::replica, session));
  return session;
}

Result<std::vector<std::optional<Session>>> RedisStore::Implementation::get_many(std::span<const SessionKey> keys) {
  Result<std::vector<std::optional<Session>>> sessions(std::in_place);
  run(GetManyOperation(parts_.context_to_read(), keys, sessions));
  return sessions;
}

Result<std::vector<Session>> RedisStore::Implementation::get_all(std::string_view user_id, std::string_view type) {
  Result<std::vector<Session>> sessions(std::in_place);
  run(GetAllOperation(parts_.context(), user_id, type, ReadFrom::primary, sessions));
  return sessions;
}

Result<std::vector<Session>> RedisStore::Implementation::get_all_from_replica(std::string_view user_id,
                                                                              std::string_view type) {
  Result<std::vector<Session>> sessions(std::in_place);
  run(GetAllOperation(parts_.context(), user_id, type, ReadFrom::replica, sessions));
  return sessions;
}

std::expected<void, UpsertError> RedisStore::Implementation::upsert(Session& session,
                                                                    std::vector<std::string>& evicted) {
  auto context = parts_.context_to_write();
  if (!context) return upsert_failure(std::move(context.error()));
  std::expected<void, UpsertError> outcome;
  run(UpsertOperation(std::move(*context), session, evicted, outcome));
  return outcome;
}

std::expected<void, UpsertError> RedisStore::Implementation::rotate_id(Session& session) {
  auto id = generate_session_id();
  if (!id) return upsert_failure(std::move(id.error()));
  auto context = parts_.context_to_write();
  if (!context) return upsert_failure(std::move(context.error()));
  std::expected<void, UpsertError> outcome;
  run(RotateOperation(std::move(*context), session, std::move(*id), parts_.options().clock(), outcome));
  return outcome;
}

Result<Deleted> RedisStore::Implementation::delete_one(const SessionKey& key) {
  Result<Deleted> deleted;
  run(DeleteOperation::one(parts_.context(), key, deleted));
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_all(std::string_view user_id, std::string_view type) {
  Result<Deleted> deleted;
  run(DeleteOperation::all(parts_.context(), user_id, type, parts_.options().clock(), deleted));
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_all(std::string_view user_id, std::span<const std::string> types) {
  Result<Deleted> deleted;
  run(DeleteTypesOperation(parts_.context(), user_id, types, parts_.options().clock(), deleted));
  return deleted;
}

Result<Deleted> RedisStore::Implementation::delete_others(const SessionKey& keep) {
  Result<Deleted> deleted;
  run(DeleteOperation::others(parts_.context(), keep, parts_.options().clock(), deleted));
  return deleted;
}

}}  // namespace obol::v0
