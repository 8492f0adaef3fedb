// Session tokens: a signed session key as cookie-safe text.
#include "obol/session_token.hpp"

#include "base/base64url.hpp"
#include "obol/session_limits.hpp"
#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"

namespace obol { inline namespace v0 {
namespace {

// Two ids, a type, a tag, a key id and their heads, in base64url.
constexpr std::size_t max_token_characters = 1024;

// Other than a session's, so that neither passes for the other.
std::string external_data() {
  std::string data;
  sealing::cbor::Writer(data).array(1).text("obol token");
  return data;
}

std::unexpected<Error> refused() {
  return std::unexpected(
      Error{ErrorCode::invalid_token,
            "the session token was not issued by a key of this keyring; treat the caller as not logged in"});
}

}  // namespace

Result<std::string> issue_token(const SessionKey& key, const Keyring& keyring) {
  if (auto valid = validate(key); !valid) return std::unexpected(std::move(valid.error()));
  if (keyring.empty()) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, "the keyring is empty; make one with Keyring::from_base_secret"});
  }
  std::string payload;
  sealing::cbor::Writer(payload).array(3).bytes(key.user_id).text(key.type).bytes(key.id);
  std::string token;
  if (!sealing::write_mac0(token, keyring.keys()->current(), external_data(), payload)) {
    return std::unexpected(Error{ErrorCode::internal, "OpenSSL could not sign the token; check memory"});
  }
  return base64url_encode(token);
}

Result<SessionKey> open_token(std::string_view token, const Keyring& keyring) {
  if (token.size() > max_token_characters || keyring.empty()) return refused();
  const auto bytes = base64url_decode(token);
  if (!bytes) return refused();
  const auto payload = sealing::open_mac0(*bytes, external_data(), *keyring.keys());
  if (!payload) return refused();
  sealing::cbor::Reader reader(*payload);
  if (reader.array() != 3U) return refused();
  const auto user_id = reader.bytes();
  const auto type = reader.text();
  const auto id = reader.bytes();
  if (!user_id || !type || !id || !reader.at_end()) return refused();
  SessionKey key{.user_id = std::string(*user_id), .type = std::string(*type), .id = std::string(*id)};
  if (!validate(key)) return refused();
  return key;
}

}}  // namespace obol::v0
