// Fuzzes the opening of session tokens, before verification and, with payloads signed here, behind it.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/base64url.hpp"
#include "edits.hpp"
#include "input.hpp"
#include "obol/session_limits.hpp"
#include "obol/session_token.hpp"
#include "require.hpp"
#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"
#include "support/worked_example.hpp"

namespace obol::fuzz { namespace {

constexpr std::string_view key_id = "k1";

const Keyring& issuing_keyring() {
  static const Keyring keyring = testing::example_keyring();
  return keyring;
}

/// Its key has the same id, and no token was ever issued with it.
const Keyring& unused_keyring() {
  static const Keyring keyring(SigningKey::from_bytes("a key that never signed any session", key_id).value());
  return keyring;
}

/// That of the example in docs/stored-format.md.
const SessionKey& genuine_key() {
  static const SessionKey key{.user_id = "426", .type = "full", .id = "S1"};
  return key;
}

void require_refused(const Result<SessionKey>& opened) {
  static const std::string only_message = open_token("", unused_keyring()).error().message;
  require(!opened && opened.error().code == ErrorCode::invalid_token && opened.error().message == only_message,
          "every token that is refused is refused in the same words");
}

void check_foreign_text(std::string_view text) {
  require_refused(open_token(text, unused_keyring()));
  if (const auto bytes = base64url_decode(text)) {
    require(base64url_encode(*bytes) == text, "bytes have one accepted text");
  }
}

void check_edited_text(Input& input) {
  static const std::string genuine = issue_token(genuine_key(), issuing_keyring()).value();
  const auto text = edited(genuine, input);
  const auto opened = open_token(text, issuing_keyring());
  if (text == genuine) {
    require(opened && *opened == genuine_key(), "a token opens to the key it was issued for");
  } else {
    require_refused(opened);
  }
}

void check_signed_payload(std::string_view payload) {
  std::string bound_to;
  sealing::cbor::Writer(bound_to).array(1).text("obol token");
  std::string bytes;
  require(sealing::write_mac0(bytes, issuing_keyring().keys()->current(), bound_to, payload), "a payload is signed");
  const auto token = base64url_encode(bytes);
  const auto opened = open_token(token, issuing_keyring());
  if (!opened) {
    require_refused(opened);
    return;
  }
  require(validate(*opened).has_value(), "an opened token names a key within the limits");
  require(issue_token(*opened, issuing_keyring()).value_or("") == token, "a session key has one token");
}

}}  // namespace obol::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  obol::fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      obol::fuzz::check_foreign_text(input.rest());
      break;
    case 1:
      obol::fuzz::check_signed_payload(input.rest());
      break;
    default:
      obol::fuzz::check_edited_text(input);
  }
  return 0;
}
