// Sealed sessions: back exactly as they were, and under no other stored key, version, byte or length.
#include "sealing/sealing.hpp"

#include <gtest/gtest.h>

#include "sealing/cbor.hpp"
#include "sealing/cose_encrypt0.hpp"
#include "sealing/cose_mac0.hpp"
#include "support/sessions.hpp"

namespace obol::sealing { namespace {

using testing::new_session;
using testing::signing_key;

constexpr std::string_view stored_key = "obol_{user}:full";

Session sealed_session() {
  auto session = new_session();
  session.lock_version = 7;
  return session;
}

class Sealed : public ::testing::TestWithParam<Encryption> {
 protected:
  std::expected<Session, VerificationFailure> opened(std::string_view bytes) const {
    return open(bytes, stored_key, session.key(), keyring, GetParam());
  }
  const Keyring keyring{signing_key()};
  const Session session = sealed_session();
  const std::string sealed = seal(session, stored_key, keyring, GetParam()).value();
};

TEST_P(Sealed, OpensToTheSameSession) { EXPECT_EQ(opened(sealed), session); }

TEST_P(Sealed, IsDifferentBytesEachTime) { EXPECT_NE(seal(session, stored_key, keyring, GetParam()).value(), sealed); }

TEST_P(Sealed, IsRefusedWithAnyBitOfAnyByteChanged) {
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      ASSERT_FALSE(opened(changed).has_value()) << "byte " << i << ", bit " << bit;
    }
  }
}

TEST_P(Sealed, IsRefusedCutAtEveryLengthFromBothEnds) {
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    ASSERT_FALSE(opened(std::string_view(sealed).substr(0, length)).has_value());
    ASSERT_FALSE(opened(std::string_view(sealed).substr(sealed.size() - length)).has_value());
  }
}

TEST_P(Sealed, IsRefusedWithAnythingBehindIt) { EXPECT_FALSE(opened(sealed + '\0').has_value()); }

TEST_P(Sealed, IsRefusedInAnyOtherPlace) {
  const auto elsewhere = [&](std::string_view other_key, std::string_view id) {
    auto key = session.key();
    key.id = id;
    return open(sealed, other_key, key, keyring, GetParam());
  };
  ASSERT_TRUE(elsewhere(stored_key, session.id).has_value());
  for (const auto* other : {"obol_{other}:full", "obol_{user}:oauth2", "other_{user}:full", "obol_{user}:ful", ""}) {
    EXPECT_EQ(elsewhere(other, session.id).error(), VerificationFailure::bad_signature) << other;
  }
  for (const auto* other : {"other", "sessio", "session2", ""}) {
    EXPECT_EQ(elsewhere(stored_key, other).error(), VerificationFailure::bad_signature) << other;
  }
}

TEST_P(Sealed, IsRefusedUnderAnyOtherLockVersion) {
  for (const std::uint64_t version : {std::uint64_t{6}, std::uint64_t{8}, ~std::uint64_t{0}}) {
    EXPECT_EQ(opened(encode_lock_version(version) + sealed.substr(8)).error(), VerificationFailure::bad_signature);
  }
  EXPECT_EQ(opened(encode_lock_version(0) + sealed.substr(8)).error(), VerificationFailure::malformed);
}

TEST_P(Sealed, IsReadWithAnOlderKeyThatStillVerifies) {
  const auto rotated = Keyring(signing_key('n')).with_verifying_key(signing_key()).value();
  EXPECT_EQ(open(sealed, stored_key, session.key(), rotated, GetParam()), session);
}

TEST_P(Sealed, IsRefusedWhereItsKeyWasRemoved) {
  EXPECT_EQ(open(sealed, stored_key, session.key(), Keyring(signing_key('n')), GetParam()).error(),
            VerificationFailure::unknown_key);
}

TEST_P(Sealed, IsRefusedByAnotherKeyOfTheSameId) {
  const Keyring forger(SigningKey::from_bytes(std::string(32, 'x'), keyring.current_key_id()).value());
  EXPECT_EQ(open(sealed, stored_key, session.key(), forger, GetParam()).error(), VerificationFailure::bad_signature);
}

TEST_P(Sealed, NamesItsKeyAndWhetherThatIsInTheKeyring) {
  const auto known = named_key(sealed, keyring);
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->id, keyring.current_key_id());
  EXPECT_TRUE(known->is_in_keyring);
  const auto unknown = named_key(sealed, Keyring(signing_key('n')));
  ASSERT_TRUE(unknown.has_value());
  EXPECT_EQ(unknown->id, keyring.current_key_id());
  EXPECT_FALSE(unknown->is_in_keyring);
}

TEST_P(Sealed, NamesNoKeyWhereItsHeadersAreCut) {
  for (std::size_t length = 0; length < 24; ++length) {
    EXPECT_FALSE(named_key(std::string_view(sealed).substr(0, length), keyring).has_value()) << length;
  }
}

/// Seals any payload as if it were this session's.
std::string sealed_payload(const Session& session, const Keyring& keyring, std::string_view payload,
                           Encryption encryption) {
  std::string data;
  cbor::Writer(data).array(4).text("obol").bytes(stored_key).bytes(session.id).unsigned_integer(session.lock_version);
  std::string bytes = encode_lock_version(session.lock_version);
  const auto& key = keyring.keys()->current();
  EXPECT_TRUE(encryption == Encryption::off ? write_mac0(bytes, key, data, payload)
                                            : write_encrypt0(bytes, key, {}, data, payload));
  return bytes;
}

TEST_P(Sealed, WithKeysThisVersionDoesNotKnowIsReadWithoutThem) {
  auto payload = encode_session(session, {});
  payload[0] = static_cast<char>(payload[0] + 2);
  cbor::Writer(payload).unsigned_integer(11).text("new").unsigned_integer(40).map(1).unsigned_integer(1).array(0);
  EXPECT_EQ(opened(sealed_payload(session, keyring, payload, GetParam())), session);
}

TEST_P(Sealed, OfANewerFormatIsToldFromAForgedOne) {
  auto payload = encode_session(session, {});
  payload[2] = 2;
  EXPECT_EQ(opened(sealed_payload(session, keyring, payload, GetParam())).error(), VerificationFailure::newer_format);
}

TEST_P(Sealed, WithAMalformedMapIsRefusedThoughItIsSigned) {
  const auto good = encode_session(session, {});
  ASSERT_EQ(opened(sealed_payload(session, keyring, good, GetParam())), session);
  auto missing = good;
  missing[0] = static_cast<char>(missing[0] - 1);
  auto version_zero = good;
  version_zero[2] = 0;
  for (const auto& payload : {std::string(), std::string("\xA0", 1), missing, version_zero, good + '\0',
                              good.substr(0, 20), missing.substr(0, missing.size() - 10)}) {
    EXPECT_EQ(opened(sealed_payload(session, keyring, payload, GetParam())).error(), VerificationFailure::malformed);
  }
}

TEST_P(Sealed, KeepsEveryByteAndEveryTime) {
  auto extreme = session;
  extreme.refresh_token_id.clear();
  extreme.extra_payload.clear();
  for (int byte = 0; byte < 256; ++byte) extreme.extra_payload += static_cast<char>(byte);
  extreme.created_at = std::chrono::sys_seconds::min();
  extreme.refreshed_at = std::chrono::sys_seconds::max();
  extreme.expires_at = std::chrono::sys_seconds(std::chrono::seconds(-1));
  EXPECT_EQ(opened(seal(extreme, stored_key, keyring, GetParam()).value()), extreme);
}

INSTANTIATE_TEST_SUITE_P(Forms, Sealed, ::testing::Values(Encryption::off, Encryption::encrypt, Encryption::require),
                         [](const auto& parameter) { return std::to_string(static_cast<int>(parameter.param)); });

}}  // namespace obol::sealing
