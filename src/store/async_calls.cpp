#include "store/async_calls.hpp"

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "store/call_arguments.hpp"

namespace obol { inline namespace v0 {

std::optional<Request> AsyncGet::begin(RedisStoreParts& parts) {
  if (auto valid = validate(key_); !valid) {
    fail(std::move(valid.error()));
    return std::nullopt;
  }
  const bool is_near = from_ == ReadFrom::primary && parts.has_near_cache();
  auto& get =
      make([&] { return GetOperation(is_near ? parts.context_to_read() : parts.context(), key_, from_, outcome()); });
  found_near_ = is_near && get.find_near(parts.options().clock());
  return found_near_ ? std::nullopt : get.begin();
}

std::optional<Request> AsyncGetMany::begin(RedisStoreParts& parts) {
  return begin_if(validate_keys(keys_), [&] { return GetManyOperation(parts.context_to_read(), keys_, outcome()); });
}

std::optional<Request> AsyncGetAll::begin(RedisStoreParts& parts) {
  return begin_if(validate(user_id_, type_),
                  [&] { return GetAllOperation(parts.context(), user_id_, type_, from_, outcome()); });
}

std::optional<Request> AsyncDeleteOne::begin(RedisStoreParts& parts) {
  return begin_if(validate(key_), [&] { return DeleteOperation::one(parts.context(), key_, outcome()); });
}

std::optional<Request> AsyncDeleteAll::begin(RedisStoreParts& parts) {
  return begin_if(validate(user_id_, type_), [&] {
    return DeleteOperation::all(parts.context(), user_id_, type_, parts.options().clock(), outcome());
  });
}

std::optional<Request> AsyncDeleteTypes::begin(RedisStoreParts& parts) {
  return begin_if(validate(user_id_, types_), [&] {
    return DeleteTypesOperation(parts.context(), user_id_, types_, parts.options().clock(), outcome());
  });
}

std::optional<Request> AsyncDeleteOthers::begin(RedisStoreParts& parts) {
  return begin_if(validate(kept_),
                  [&] { return DeleteOperation::others(parts.context(), kept_, parts.options().clock(), outcome()); });
}

AsyncUpsert::AsyncUpsert(Outcome& outcome, Session session)
    : AsyncWriteCall(outcome), operation_(session.lock_version == 0 ? Operation::create : Operation::update) {
  stored().session = std::move(session);
}

std::optional<Request> AsyncUpsert::begin(RedisStoreParts& parts) {
  const auto& options = parts.options();
  auto& session = stored().session;
  if (auto valid = validate(session, options.max_payload_bytes, options.clock()); !valid) return refuse(valid.error());
  auto context = parts.context_to_write();
  if (!context) return refuse(context.error());
  return make([&] { return UpsertOperation(std::move(*context), session, stored().evicted, written()); }).begin();
}

void AsyncUpsert::end(const CallReports& reports) {
  destroy();
  reports.upserted(operation_, stored().session, stored().evicted, written());
  settle();
}

std::optional<Request> AsyncRotateId::begin(RedisStoreParts& parts) {
  const auto& options = parts.options();
  auto& session = stored();
  if (auto valid = validate_rotation(session, options.max_payload_bytes, options.clock()); !valid) {
    return refuse(valid.error());
  }
  auto id = generate_session_id();
  if (!id) return refuse(id.error());
  auto context = parts.context_to_write();
  if (!context) return refuse(context.error());
  return make([&] { return RotateOperation(std::move(*context), session, std::move(*id), options.clock(), written()); })
      .begin();
}

void AsyncRotateId::end(const CallReports& reports) {
  destroy();
  reports.rotated_id(stored(), written());
  settle();
}

}}  // namespace obol::v0
