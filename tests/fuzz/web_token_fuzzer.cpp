// Fuzzes the opening of access and refresh tokens, before verification and, with payloads signed here, behind it.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/base64url.hpp"
#include "edits.hpp"
#include "input.hpp"
#include "obol/session_limits.hpp"
#include "require.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/web_token.hpp"
#include "support/worked_example.hpp"

namespace obol::fuzz { namespace {

using sealing::TokenClaims;
using sealing::TokenKind;

const Keyring& issuing_keyring() {
  static const Keyring keyring = testing::example_keyring();
  return keyring;
}

/// Its key has the same id, and no token was ever issued with it.
const Keyring& unused_keyring() {
  static const Keyring keyring(SigningKey::from_bytes("a key that never signed any session", "k1").value());
  return keyring;
}

TokenKind kind_of(unsigned choice) { return choice % 2 == 0 ? TokenKind::access : TokenKind::refresh; }
TokenKind other(TokenKind kind) { return kind == TokenKind::access ? TokenKind::refresh : TokenKind::access; }

const TokenClaims& genuine_claims() {
  static const TokenClaims claims{.session = testing::example_session().key(),
                                  .issued_at = testing::example_session().created_at,
                                  .expires_at = testing::example_session().refresh_expires_at,
                                  .id = {1, 2, 3}};
  return claims;
}

void require_refused(std::string_view token, const Keyring& keyring) {
  for (const auto kind : {TokenKind::access, TokenKind::refresh}) {
    require(!sealing::open_web_token(kind, token, keyring), "only what a key of the ring signed is opened");
  }
}

void check_edited_text(TokenKind kind, Input& input) {
  const auto genuine = sealing::write_web_token(kind, genuine_claims(), issuing_keyring()).value();
  const auto text = edited(genuine, input);
  if (text != genuine) return require_refused(text, issuing_keyring());
  require(sealing::open_web_token(kind, text, issuing_keyring()) == genuine_claims(), "a token opens to its claims");
  require(!sealing::open_web_token(other(kind), text, issuing_keyring()), "no kind passes for another");
}

/// Signs the payload in the form of a genuine token: all that stands before the key id.
void check_signed_payload(TokenKind kind, std::string_view payload) {
  const auto genuine =
      base64url_decode(sealing::write_web_token(kind, genuine_claims(), issuing_keyring()).value()).value();
  const std::string_view bytes = genuine;
  const auto protected_header = bytes.substr(4, static_cast<unsigned char>(bytes[3]));
  const sealing::Mac0Form form{.before_key_id = bytes.substr(0, 4 + protected_header.size() + 2),
                               .protected_header = protected_header};
  std::string signed_bytes;
  require(sealing::write_mac0(signed_bytes, issuing_keyring().keys()->current(), {}, payload, form),
          "a payload is signed");
  const auto token = base64url_encode(signed_bytes);
  require(!sealing::open_web_token(other(kind), token, issuing_keyring()), "no kind passes for another");
  const auto claims = sealing::open_web_token(kind, token, issuing_keyring());
  if (!claims) return;
  require(validate(claims->session).has_value(), "an opened token names a session within the limits");
  require(sealing::write_web_token(kind, *claims, issuing_keyring()).value_or("") == token, "claims have one token");
}

void check_issued(TokenKind kind, Input& input) {
  const auto time = [&] {
    std::uint64_t value = 0;
    for (const char byte : input.take(sizeof value)) value = value << 8U | static_cast<unsigned char>(byte);
    return std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(value)));
  };
  TokenClaims claims{.issued_at = time(), .expires_at = time()};
  std::ranges::copy(input.take(claims.id.size()), claims.id.begin());
  claims.session.type = input.short_string();
  claims.session.id = input.short_string();
  claims.session.user_id = input.rest();
  const auto token = sealing::write_web_token(kind, claims, issuing_keyring());
  require(token.has_value() == validate(claims.session).has_value(), "a session within the limits has tokens");
  if (!token) return;
  require(sealing::open_web_token(kind, *token, issuing_keyring()) == claims, "a token opens to its claims");
  require_refused(*token, unused_keyring());
}

}}  // namespace obol::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  obol::fuzz::Input input(data, size);
  const auto choice = input.byte();
  const auto kind = obol::fuzz::kind_of(choice / 4);
  switch (choice % 4) {
    case 0:
      obol::fuzz::require_refused(input.rest(), obol::fuzz::unused_keyring());
      break;
    case 1:
      obol::fuzz::check_signed_payload(kind, input.rest());
      break;
    case 2:
      obol::fuzz::check_edited_text(kind, input);
      break;
    default:
      obol::fuzz::check_issued(kind, input);
  }
  return 0;
}
