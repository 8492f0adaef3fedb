#include "store/call_reports.hpp"

#include "obol/session_id.hpp"

namespace obol { inline namespace v0 {
namespace {

SessionEvent event_of(const std::string& id, std::string_view type, std::uint64_t lock_version) {
  return {.id_hash = session_id_hash(id), .type = type, .lock_version = lock_version};
}

SessionEvent event_of(const Session& session) { return event_of(session.id, session.type, session.lock_version); }

}  // namespace

void CallReports::upserted(Operation operation, const Session& session, std::span<const std::string> evicted,
                           const std::expected<void, UpsertError>& outcome) const {
  if (outcome) {
    tell(operation == Operation::create ? &Observer::on_created : &Observer::on_refreshed,
         [&] { return event_of(session); });
  }
  for (const auto& id : evicted) {
    tell(&Observer::on_evicted, [&] { return event_of(id, session.type, 0); });
  }
  if (!outcome) lost(session, outcome.error());
}

void CallReports::rotated_id(const Session& session, const std::expected<void, UpsertError>& outcome) const {
  if (!outcome) return lost(session, outcome.error());
  tell(&Observer::on_id_rotated, [&] { return event_of(session); });
}

void CallReports::deleted_one(const SessionKey& key, const Result<Deleted>& outcome) const {
  if (outcome) tell(&Observer::on_deleted, [&] { return event_of(key.id, key.type, 0); });
}

void CallReports::deleted_all(std::string_view type, const Result<Deleted>& outcome) const {
  if (outcome) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = type, .kept_one = false}; });
}

void CallReports::deleted_all(std::span<const std::string> types, const Result<Deleted>& outcome) const {
  for (const auto& type : types) deleted_all(std::string_view(type), outcome);
}

void CallReports::deleted_others(const SessionKey& kept, const Result<Deleted>& outcome) const {
  if (outcome) tell(&Observer::on_deleted_all, [&] { return DeletedAllEvent{.type = kept.type, .kept_one = true}; });
}

// An error leaves the session as it was sent.
void CallReports::lost(const Session& session, const UpsertError& error) const {
  const auto code = static_cast<ErrorCode>(error.code.value());
  if (code == ErrorCode::conflict) tell(&Observer::on_conflict, [&] { return event_of(session); });
  if (code == ErrorCode::gone) tell(&Observer::on_gone, [&] { return event_of(session); });
  if (code == ErrorCode::too_many_sessions || code == ErrorCode::revoked) {
    tell(&Observer::on_refused,
         [&] { return RefusedEvent{.id_hash = session_id_hash(session.id), .type = session.type, .reason = code}; });
  }
}

}}  // namespace obol::v0
