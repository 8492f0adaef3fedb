// Reads sessions as they stand: sealed, with the expiry of their fields; and judges them with the keys there are.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "obol/keyring.hpp"
#include "obol/session.hpp"
#include "obol/verification_failure.hpp"
#include "obolctl/server.hpp"
#include "obolctl/stored_key.hpp"
#include "store/session_commands.hpp"

namespace obol::ctl {

struct StoredSession {
  StoredKey stored_key;
  std::string id;
  std::string sealed;
  std::optional<FieldExpiry> expiry;  ///< Of its field; nothing: it has none, which Obol never writes.

  SessionKey key() const { return {.user_id = stored_key.user_id, .type = stored_key.type, .id = id}; }
};

/// The live sessions of these stored keys, which one primary holds, without their expiries.
Result<std::vector<StoredSession>> read_sessions(Primary& primary, std::span<const StoredKey> stored_keys);

/// With their expiries. Not one step for the server: a session refreshed meanwhile may have its new expiry already.
Result<std::vector<StoredSession>> read_sessions_with_expiry(Primary& primary, std::span<const StoredKey> stored_keys);

/// What a command may be told of a user: an id, and types, or none for all of them.
Result<void> validate_user(std::string_view user_id, std::span<const std::string> types);

/// The stored keys of a user for these types, each once; without types, those that hold sessions: all keys are scanned.
Result<std::vector<StoredKey>> stored_keys_of_user(const Server& server, std::string_view prefix,
                                                   std::string_view user_id, std::span<const std::string> types);

/// A session judged with the keys there are.
struct Judgement {
  std::optional<Session> session;              ///< Where it verifies.
  std::optional<VerificationFailure> failure;  ///< Neither: there is no key to judge with.

  std::string word() const;  ///< "verified", "unchecked", or what is wrong, such as "bad_signature".
};
Judgement judge(const StoredSession& stored, const Keyring& keyring);

}  // namespace obol::ctl
