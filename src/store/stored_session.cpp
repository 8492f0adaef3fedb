#include "store/stored_session.hpp"

#include "obol/session_id.hpp"
#include "obol/session_limits.hpp"
#include "sealing/sealing.hpp"
#include "store/tell.hpp"

namespace obol { inline namespace v0 {

Result<bool> open_stored(std::string_view sealed, std::string_view stored_key, const Judgement& judgement,
                         Session& session) {
  const auto& [options, keyring, now] = judgement;
  const auto opened = sealing::open(sealed, stored_key, keyring, options.encryption, session);
  if (opened) return is_live(session, now);
  tell(options.observer.get(), &Observer::on_verification_failed, [&] {
    const auto named = sealing::named_key(sealed, keyring);
    return VerificationFailedEvent{.id_hash = session_id_hash(session.id),
                                   .type = session.type,
                                   .reason = opened.error(),
                                   .key_id = named ? printable_key_id(named->id) : std::string(),
                                   .is_key_known = named && named->is_in_keyring};
  });
  if (opened.error() != VerificationFailure::newer_format) return false;
  return std::unexpected(Error{ErrorCode::protocol,
                               "a stored session was written by a newer Obol in a format this one does not know; "
                               "deploy the newer release everywhere before it writes"});
}

Result<void> open_stored(std::optional<std::string_view> sealed, std::string_view stored_key, const SessionKey& key,
                         const Judgement& judgement, std::optional<Session>& session) {
  if (!sealed) return {};
  auto& opened = session.emplace();
  opened.id = key.id;
  opened.user_id = key.user_id;
  opened.type = key.type;
  const auto is_usable = open_stored(*sealed, stored_key, judgement, opened);
  if (!is_usable) return std::unexpected(is_usable.error());
  if (!*is_usable) session.reset();
  return {};
}

}}  // namespace obol::v0
