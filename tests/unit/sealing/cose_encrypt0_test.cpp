// COSE_Encrypt0 against the COSE working group's cases (cose-wg/Examples, encrypted-tests and aes-gcm-examples), the
// cipher and the derivation against theirs (RFC 5869), and the way from signed to encrypted sessions.
#include "sealing/cose_encrypt0.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "sealing/sealing.hpp"
#include "support/hex.hpp"
#include "support/sessions.hpp"

namespace obol::sealing { namespace {

using testing::from_hex;
using testing::new_session;
using testing::signing_key;
using testing::to_hex;

constexpr const char* working_group_key = "849b57219dae48de646d07dbb533566e";
constexpr const char* nonce = "054c02d1f7e6f26c43d4868d87ce";
constexpr const char* ciphertext = "582460973a94bb2898009ee52ecfd9ab1dd25867374b";
constexpr const char* protected_tag = "162e2c03568b41f57c3cc16f9166250a";
constexpr const char* changed_tag = "162e2c03568b41f57c3cc16f9166250b";
constexpr const char* unprotected_tag = "24bee54aa5d797c8dc845929acaa47ef";
constexpr const char* external_tag = "1dc3a143880ca2883a5630da08ae1e6e";

struct Case {
  const char* name;
  std::string cbor;
  const char* external;
  bool genuine;
};

std::ostream& operator<<(std::ostream& out, const Case& value) { return out << value.name; }

std::string encrypt0(const std::string& head, const char* tag) { return head + nonce + ciphertext + tag; }

class WorkingGroupEncryption : public ::testing::TestWithParam<Case> {};

TEST_P(WorkingGroupEncryption, IsToldGenuineFromForged) {
  const auto key = AesGcmKey::load(from_hex(working_group_key));
  const auto bytes = from_hex(GetParam().cbor);
  const auto parsed = parse_encrypt0(bytes);
  if (!parsed) {
    EXPECT_FALSE(GetParam().genuine);
    return;
  }
  const auto bound_to = encrypt0_bound_data(parsed->protected_header, from_hex(GetParam().external));
  const auto plaintext = key->decrypt(*parsed->initialization_vector, bound_to, parsed->ciphertext);
  EXPECT_EQ(plaintext.has_value(), GetParam().genuine);
  EXPECT_EQ(plaintext.value_or("This is the content."), "This is the content.");
}

INSTANTIATE_TEST_SUITE_P(
    Encrypt0, WorkingGroupEncryption,
    ::testing::Values(Case{"AES-GCM-01", encrypt0("d08343a10101a1", protected_tag), "", true},
                      Case{"enc-pass-01", encrypt0("d08341a0a20101", unprotected_tag), "", true},
                      Case{"enc-pass-02", encrypt0("d08343a10101a1", external_tag), "0011bbcc22dd4455dd220099", true},
                      Case{"enc-pass-02 without its external data", encrypt0("d08343a10101a1", external_tag), "",
                           false},
                      Case{"enc-pass-03", encrypt0("8340a20101", unprotected_tag), "", true},
                      Case{"enc-fail-01", encrypt0("d903e38343a10101a1", protected_tag), "", false},
                      Case{"enc-fail-02", encrypt0("d08343a10101a1", changed_tag), "", false},
                      Case{"enc-fail-03", encrypt0("d08345a1013903e6a1", protected_tag), "", false}));

TEST(Hkdf, GivesTheBytesOfRfc5869TestCase3) {
  std::array<unsigned char, 42> out{};
  ASSERT_TRUE(hkdf(std::string(22, '\x0b'), "", out.data(), out.size()));
  EXPECT_EQ(to_hex({reinterpret_cast<const char*>(out.data()), out.size()}),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(AesGcm256, GivesTheBytesOfNistTestCase14) {
  const auto key = AesGcmKey::load(std::string(32, '\0'));
  EXPECT_EQ(to_hex(key->encrypt({}, "", std::string(16, '\0')).value()),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

class EncryptedSession : public ::testing::Test {
 protected:
  static constexpr std::string_view stored_key = "obol_{user}:full";

  std::string sealed(Encryption encryption) const { return seal(session, stored_key, keyring, encryption).value(); }
  auto opened(std::string_view bytes, Encryption encryption) const {
    return open(bytes, stored_key, session.key(), keyring, encryption);
  }

  const Keyring keyring{signing_key()};
  const Session session = [] {
    auto value = new_session();
    value.lock_version = 1;
    value.refresh_token_id = "a refresh token id";
    value.extra_payload = "a host's payload";
    return value;
  }();
};

TEST_F(EncryptedSession, ShowsNothingOfWhatItHolds) {
  EXPECT_NE(sealed(Encryption::off).find(session.extra_payload), std::string::npos);
  for (const auto encryption : {Encryption::encrypt, Encryption::require}) {
    const auto bytes = sealed(encryption);
    EXPECT_EQ(bytes.find(session.extra_payload), std::string::npos);
    EXPECT_EQ(bytes.find(session.refresh_token_id), std::string::npos);
  }
}

TEST_F(EncryptedSession, IsReadInBothFormsDuringAMigration) {
  for (const auto reader : {Encryption::off, Encryption::encrypt}) {
    EXPECT_EQ(opened(sealed(Encryption::off), reader), session);
    EXPECT_EQ(opened(sealed(Encryption::encrypt), reader), session);
  }
}

TEST_F(EncryptedSession, IsTheOnlyFormWhereEncryptionIsRequired) {
  EXPECT_EQ(opened(sealed(Encryption::require), Encryption::require), session);
  EXPECT_EQ(opened(sealed(Encryption::off), Encryption::require).error(), VerificationFailure::not_encrypted);
}

TEST_F(EncryptedSession, OpensUnderAnOlderKeyOfTheRingAndUnderNoOther) {
  const auto bytes = sealed(Encryption::encrypt);
  const auto rotated = Keyring(signing_key('n')).with_verifying_key(signing_key()).value();
  EXPECT_EQ(open(bytes, stored_key, session.key(), rotated, Encryption::encrypt), session);
  const Keyring stranger(signing_key('x'));
  EXPECT_EQ(open(bytes, stored_key, session.key(), stranger, Encryption::encrypt).error(),
            VerificationFailure::unknown_key);
  const Keyring impostor(SigningKey::from_bytes(std::string(32, 'x'), signing_key().id()).value());
  EXPECT_EQ(open(bytes, stored_key, session.key(), impostor, Encryption::encrypt).error(),
            VerificationFailure::bad_signature);
}

TEST_F(EncryptedSession, NeverUsesANonceTwice) {
  std::set<std::string> nonces;
  for (int i = 0; i < 20'000; ++i) {
    const auto bytes = sealed(Encryption::encrypt);
    const auto message = parse_encrypt0(std::string_view(bytes).substr(8));
    ASSERT_TRUE(message.has_value());
    ASSERT_TRUE(nonces.emplace(*message->initialization_vector).second);
  }
}

TEST_F(EncryptedSession, IsTakenInNoOtherForm) {
  const auto bytes = sealed(Encryption::encrypt);
  const auto structure = bytes.substr(8);
  const auto version = bytes.substr(0, 8);
  const auto untagged = version + structure.substr(1);
  EXPECT_EQ(opened(untagged, Encryption::encrypt).error(), VerificationFailure::malformed);
  auto other_algorithm = bytes;
  other_algorithm.at(8 + 5) = 1;
  EXPECT_EQ(opened(other_algorithm, Encryption::encrypt).error(), VerificationFailure::malformed);
}

}}  // namespace obol::sealing
