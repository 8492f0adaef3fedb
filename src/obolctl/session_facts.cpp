// Puts together what is known of a session.
#include "obolctl/session_facts.hpp"

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "obolctl/text.hpp"
#include "sealing/sealing.hpp"

namespace obol::ctl {
namespace {

void add_optional_time(Json& object, const std::string& name, const std::optional<std::chrono::sys_seconds>& time) {
  if (time) {
    add_time(object, name, *time);
  } else {
    object[name] = nullptr;
  }
}

/// From the session where it verifies, else from its field: that is a millisecond earlier.
std::optional<std::chrono::sys_seconds> expiry_of(const SessionFacts& facts) {
  if (facts.judgement.session) return end_of_life(*facts.judgement.session);
  if (!facts.stored.expiry) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(*facts.stored.expiry);
}

}  // namespace

std::string SessionFacts::created_text() const {
  return judgement.session ? iso8601(judgement.session->created_at) : "-";
}

std::string SessionFacts::refreshed_text() const {
  return judgement.session ? iso8601(judgement.session->refreshed_at) : "-";
}

std::string SessionFacts::expires_text() const {
  const auto expires = expiry_of(*this);
  return expires ? iso8601(*expires) : "never";
}

Json SessionFacts::json() const {
  Json object;
  add_bytes(object, "user_id", stored.stored_key.user_id);
  object["type"] = stored.stored_key.type;
  add_bytes(object, "id", stored.id);
  object["id_hash"] = session_id_hash(stored.id);
  object["status"] = judgement.word();
  add_optional_time(object, "expires_at", expiry_of(*this));
  object["stored_bytes"] = stored.sealed.size();
  if (const auto inscription = sealing::inscription(stored.sealed)) {
    object["lock_version"] = inscription->lock_version;
    add_bytes(object, "key_id", inscription->key_id);
    object["encrypted"] = inscription->is_encrypted;
  }
  if (judgement.session) {
    const auto& session = *judgement.session;
    add_time(object, "created_at", session.created_at);
    add_time(object, "refreshed_at", session.refreshed_at);
    add_time(object, "refresh_expires_at", session.refresh_expires_at);
    add_optional_time(object, "session_expires_at", session.expires_at);
    add_time(object, "tokens_fresh_from", session.tokens_fresh_from);
    add_time(object, "prev_tokens_fresh_from", session.prev_tokens_fresh_from);
    object["payload_bytes"] = session.extra_payload.size();
  }
  return object;
}

}  // namespace obol::ctl
