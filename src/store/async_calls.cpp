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

std::optional<Request> AsyncDeleteOthers::begin(RedisStoreParts& parts) {
  return begin_if(validate(kept_),
                  [&] { return DeleteOperation::others(parts.context(), kept_, parts.options().clock(), outcome()); });
}

AsyncUpsert::AsyncUpsert(Outcome& outcome, Session session)
    : outcome_(outcome), operation_(session.lock_version == 0 ? Operation::create : Operation::update) {
  outcome_->session = std::move(session);
}

std::optional<Request> AsyncUpsert::begin(RedisStoreParts& parts) {
  const auto& options = parts.options();
  auto& session = outcome_->session;
  if (auto valid = validate(session, options.max_payload_bytes, options.clock()); !valid) {
    fail(std::move(valid.error()));
    return std::nullopt;
  }
  auto context = parts.context_to_write();
  if (!context) {
    fail(std::move(context.error()));
    return std::nullopt;
  }
  return make([&] { return UpsertOperation(std::move(*context), session, outcome_->evicted, written_); }).begin();
}

void AsyncUpsert::end(const CallReports& reports) {
  destroy();
  reports.upserted(operation_, outcome_->session, outcome_->evicted, written_);
  if (!written_) outcome_ = std::unexpected(std::move(written_.error()));
}

std::optional<Request> AsyncRotateId::begin(RedisStoreParts& parts) {
  const auto& options = parts.options();
  const auto now = options.clock();
  const auto refuse = [this](Error& error) {
    fail(std::move(error));
    return std::nullopt;
  };
  if (auto valid = validate_rotation(*outcome_, options.max_payload_bytes, now); !valid) return refuse(valid.error());
  auto id = generate_session_id();
  if (!id) return refuse(id.error());
  auto context = parts.context_to_write();
  if (!context) return refuse(context.error());
  return make(
             [&] { return RotateOperation(std::move(*context), *outcome_, std::move(*id), options.clock(), written_); })
      .begin();
}

void AsyncRotateId::end(const CallReports& reports) {
  destroy();
  reports.rotated_id(*outcome_, written_);
  if (!written_) outcome_ = std::unexpected(std::move(written_.error()));
}

}}  // namespace obol::v0
