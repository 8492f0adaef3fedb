// Fuzzes the opening of sealed sessions, before verification and, with payloads signed here, behind it.
#include <cstdint>
#include <string>
#include <string_view>

#include "edits.hpp"
#include "input.hpp"
#include "require.hpp"
#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/sealing.hpp"
#include "support/worked_example.hpp"

namespace obol::fuzz { namespace {

constexpr std::string_view stored_key = "obol_{426}:full";
constexpr std::string_view key_id = "k1";

const Keyring& signing_keyring() {
  static const Keyring keyring = testing::example_keyring();
  return keyring;
}

/// Its key has the same id, and nothing was ever signed with it.
const Keyring& unused_keyring() {
  static const Keyring keyring(SigningKey::from_bytes("a key that never signed any session", key_id).value());
  return keyring;
}

/// That of the worked example in docs/stored-format.md.
const Session& genuine_session() {
  static const Session session = testing::example_session();
  return session;
}

const std::string& genuine() {
  static const std::string sealed = sealing::seal(genuine_session(), stored_key, signing_keyring(), Encryption::off,
                                                  {.write_id = {1, 2, 3, 4, 5, 6, 7, 8}})
                                        .value();
  return sealed;
}

void check_foreign_bytes(std::string_view bytes) {
  require(!sealing::open(bytes, stored_key, genuine_session().key(), unused_keyring(), Encryption::off),
          "what no key signed does not open");
}

void check_edited_bytes(Input& input) {
  const auto bytes = edited(genuine(), input);
  const auto opened = sealing::open(bytes, stored_key, genuine_session().key(), signing_keyring(), Encryption::off);
  require(opened.has_value() == (bytes == genuine()), "a sealed session opens unchanged and in no other form");
  if (opened) require(*opened == genuine_session(), "a sealed session opens to what was sealed");
}

void check_other_place(Input& input) {
  auto key = genuine_session().key();
  const auto other_key = input.short_string();
  key.id = input.rest();
  const bool its_own = other_key == stored_key && key.id == genuine_session().id;
  require(sealing::open(genuine(), other_key, key, signing_keyring(), Encryption::off).has_value() == its_own,
          "a sealed session opens under its own stored key and under no other");
}

std::string signed_payload(std::string_view lock_version, std::string_view payload) {
  std::uint64_t number = 0;
  for (const char byte : lock_version) number = number << 8 | static_cast<unsigned char>(byte);
  std::string bound_to;
  sealing::cbor::Writer(bound_to)
      .array(4)
      .text("obol")
      .bytes(stored_key)
      .bytes(genuine_session().id)
      .unsigned_integer(number);
  std::string sealed = sealing::encode_lock_version(number);
  require(sealing::write_mac0(sealed, signing_keyring().keys()->current(), bound_to, payload), "a payload is signed");
  return sealed;
}

void check_signed_payload(Input& input) {
  const auto lock_version = input.take(sizeof(std::uint64_t));
  const auto sealed = signed_payload(lock_version, input.rest());
  const auto key = genuine_session().key();
  const auto opened = sealing::open(sealed, stored_key, key, signing_keyring(), Encryption::off);
  if (!opened) {
    require(opened.error() == VerificationFailure::malformed || opened.error() == VerificationFailure::newer_format,
            "what is signed is never called a forgery");
    return;
  }
  require(opened->key() == key && opened->lock_version != 0,
          "an opened session has the key it is stored under and a version");
  for (const auto encryption : {Encryption::off, Encryption::require}) {
    const auto sealed_again = sealing::seal(*opened, stored_key, signing_keyring(), encryption);
    require(sealed_again && sealing::open(*sealed_again, stored_key, key, signing_keyring(), encryption) == opened,
            "an opened session can be sealed again and opens the same");
  }
}

}}  // namespace obol::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  obol::fuzz::Input input(data, size);
  switch (input.byte() % 4) {
    case 0:
      obol::fuzz::check_foreign_bytes(input.rest());
      break;
    case 1:
      obol::fuzz::check_signed_payload(input);
      break;
    case 2:
      obol::fuzz::check_edited_bytes(input);
      break;
    default:
      obol::fuzz::check_other_place(input);
  }
  return 0;
}
