// Keys and keyrings: derivation, limits, ids, and which keys verify.
#include "obol/keyring.hpp"

#include <gtest/gtest.h>

#include "sealing/keyring.hpp"
#include "support/hex.hpp"

namespace obol { namespace {

TEST(SigningKey, FromABaseSecretIsPbkdf2WithCharonsSaltAndIterations) {
  // python3: hashlib.pbkdf2_hmac('sha256', b'0123456789abcdef0123456789abcdef', b'RedisStore HMAC', 250000, 32)
  const auto derived = SigningKey::from_base_secret("0123456789abcdef0123456789abcdef").value();
  const auto direct =
      SigningKey::from_bytes(testing::from_hex("5f81372fea6a64d5c666bab8682a28536098ce25b2e826aff6ed2b67764eb6d1"))
          .value();
  EXPECT_EQ(derived.id(), direct.id());
}

TEST(SigningKey, HasTheSameIdWheneverItIsTheSameKey) {
  const auto key = SigningKey::from_bytes(std::string(32, 'a')).value();
  EXPECT_EQ(key.id(), SigningKey::from_bytes(std::string(32, 'a'))->id());
  EXPECT_NE(key.id(), SigningKey::from_bytes(std::string(32, 'b'))->id());
  EXPECT_EQ(key.id().size(), 8U);
  EXPECT_EQ(SigningKey::from_bytes(std::string(32, 'a'), "2026-11")->id(), "2026-11");
}

TEST(SigningKey, OutsideItsLimitsIsRefusedWithoutBeingRepeated) {
  for (const auto& refused :
       {SigningKey::from_bytes(std::string(31, 's')), SigningKey::from_bytes(std::string(129, 's')),
        SigningKey::from_bytes(std::string(32, 's'), std::string(33, 'i')),
        SigningKey::from_base_secret(std::string(31, 's')), SigningKey::from_base_secret("")}) {
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(refused.error().message.find("ssss"), std::string::npos);
  }
}

TEST(PrintableKeyId, IsTheIdWhereThatCanBePrintedSafely) {
  EXPECT_EQ(printable_key_id("2026-11_web.A"), "2026-11_web.A");
  EXPECT_EQ(printable_key_id(""), "");
}

TEST(PrintableKeyId, IsHexadecimalForAnyOtherBytes) {
  EXPECT_EQ(printable_key_id("a b"), "0x612062");
  EXPECT_EQ(printable_key_id("\n\xFF\""), "0x0aff22");
  EXPECT_EQ(printable_key_id(std::string_view("\0", 1)), "0x00");
}

TEST(PrintableKeyId, IsCutWhereNoKeyCouldHaveThatId) {
  EXPECT_EQ(printable_key_id(std::string(5000, 'i')), std::string(32, 'i'));
}

TEST(Keyring, HoldsNoKeyUntilItIsGivenOne) {
  EXPECT_TRUE(Keyring().empty());
  EXPECT_EQ(Keyring().current_key_id(), "");
}

TEST(Keyring, SignsWithTheCurrentKeyAndFindsTheOlderOnes) {
  const auto old_key = SigningKey::from_bytes(std::string(32, 'o'), "old").value();
  const auto new_key = SigningKey::from_bytes(std::string(32, 'n'), "new").value();
  const auto keyring = Keyring(new_key).with_verifying_key(old_key).value();
  EXPECT_EQ(keyring.current_key_id(), "new");
  EXPECT_EQ(keyring.keys()->all.size(), 2U);
  EXPECT_NE(keyring.keys()->find("old"), nullptr);
  EXPECT_EQ(keyring.keys()->find("other"), nullptr);
}

TEST(Keyring, TakesTheSameKeyTwiceAsOne) {
  const auto old_key = SigningKey::from_bytes(std::string(32, 'o'), "old").value();
  const auto new_key = SigningKey::from_bytes(std::string(32, 'n'), "new").value();
  const auto same_again = SigningKey::from_bytes(std::string(32, 'o'), "old").value();
  const auto keyring = Keyring(new_key).with_verifying_key(old_key).value();
  EXPECT_EQ(keyring.with_verifying_key(same_again)->keys()->all.size(), 2U);
  EXPECT_EQ(keyring.with_verifying_key(new_key)->current_key_id(), "new");
}

TEST(Keyring, RefusesADifferentKeyOfAnIdThatItHolds) {
  const auto one = SigningKey::from_bytes(std::string(32, 'o'), "k1").value();
  const auto other = SigningKey::from_bytes(std::string(32, 'n'), "k1").value();
  const auto third = SigningKey::from_bytes(std::string(32, 't'), "k3").value();
  for (const auto& ring : {Keyring(one), Keyring(third).with_verifying_key(one).value()}) {
    const auto refused = ring.with_verifying_key(other);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(refused.error().message.find("two different keys have the id k1"), std::string::npos)
        << refused.error().message;
  }
}

}}  // namespace obol
