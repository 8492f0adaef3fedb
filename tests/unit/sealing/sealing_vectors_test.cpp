// Sealing and tokens against figures that were computed without Obol: python3's hmac and a CBOR writer of its own.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/base64url.hpp"
#include "obol/session_token.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/sealing.hpp"
#include "support/hex.hpp"

namespace obol::sealing { namespace {

using testing::from_hex;
using testing::to_hex;

std::chrono::sys_seconds at(std::int64_t seconds) { return std::chrono::sys_seconds(std::chrono::seconds(seconds)); }

Keyring keyring() {
  return Keyring(
      SigningKey::from_bytes(from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")).value());
}

struct Vector {
  std::string stored_key;
  Session session;
  WriteId write_id;
  std::string external_data;
  std::string payload;
  std::string tag;
  std::string sealed;
};

Vector first() {
  return {
      .stored_key = "obol_{426}:full",
      .session = {.id = "AAECAwQFBgcICQoLDA0ODw",
                  .user_id = "426",
                  .type = "full",
                  .refresh_token_id = "refresh-7",
                  .created_at = at(1763900000),
                  .refreshed_at = at(1763903600),
                  .refresh_expires_at = at(1764508400),
                  .tokens_fresh_from = at(1763900000),
                  .prev_tokens_fresh_from = at(1763899700),
                  .expires_at = at(1766492000),
                  .lock_version = 3,
                  .extra_payload = R"({"theme":"dark"})"},
      .write_id = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7},
      .external_data = "84646f626f6c4f6f626f6c5f7b3432367d3a66756c6c5641414543417751464267634943516f4c4441304f447703",
      .payload =
          "aa0101021a6922fa60031a69230870041a692c42f0051a6922fa60061a6922f934071a694a876008497265667265"
          "73682d3709507b227468656d65223a226461726b227d0a48a0a1a2a3a4a5a6a7",
      .tag = "dcf1a740dc2eda0070ab7db8fecee018ce0a9cb402d0a8170f4d9d1e38f2d2ad",
      .sealed =
          "0000000000000003d18443a10105a10448a25b4d9f9e3e4582584eaa0101021a6922fa60031a69230870041a692c"
          "42f0051a6922fa60061a6922f934071a694a87600849726566726573682d3709507b227468656d65223a22646172"
          "6b227d0a48a0a1a2a3a4a5a6a75820dcf1a740dc2eda0070ab7db8fecee018ce0a9cb402d0a8170f4d9d1e38f2d2"
          "ad"};
}

Vector second() {
  return {.stored_key = std::string("obol_{\0\xff}:oauth2", 16),
          .session = {.id = "s",
                      .user_id = std::string("\0\xff", 2),
                      .type = "oauth2",
                      .created_at = at(-1),
                      .refreshed_at = at(0),
                      .refresh_expires_at = at(64060588799),
                      .tokens_fresh_from = at(23),
                      .prev_tokens_fresh_from = at(24),
                      .lock_version = std::uint64_t{1} << 32},
          .write_id = {},
          .external_data = "84646f626f6c506f626f6c5f7b00ff7d3a6f617574683241731b0000000100000000",
          .payload = "a9010102200300041b0000000eea4f02ff0517061818084009400a480000000000000000",
          .tag = "63e03d129d054834f431dee23265a4ad4fba35b57cfe30160ea88224399610a9",
          .sealed =
              "0000000100000000d18443a10105a10448a25b4d9f9e3e45825824a9010102200300041b0000000eea4f02ff0517"
              "061818084009400a480000000000000000582063e03d129d054834f431dee23265a4ad4fba35b57cfe30160ea882"
              "24399610a9"};
}

class SealingVector : public ::testing::TestWithParam<Vector> {};

TEST_P(SealingVector, OpensToTheExpectedSession) {
  const auto& vector = GetParam();
  EXPECT_EQ(open(from_hex(vector.sealed), vector.stored_key, vector.session.key(), keyring(), Encryption::off),
            vector.session);
}

TEST_P(SealingVector, SealsToTheExpectedBytes) {
  const auto& vector = GetParam();
  EXPECT_EQ(
      to_hex(
          seal(vector.session, vector.stored_key, keyring(), Encryption::off, {.write_id = vector.write_id}).value()),
      vector.sealed);
}

TEST_P(SealingVector, HasTheExpectedPayloadAndTag) {
  const auto& vector = GetParam();
  EXPECT_EQ(to_hex(encode_session(vector.session, vector.write_id)), vector.payload);
  const Keyring keys = keyring();
  const auto& hmac = *keys.keys()->current().hmac;
  const auto tag = mac0_tag(hmac, from_hex("a10105"), from_hex(vector.external_data), from_hex(vector.payload));
  EXPECT_EQ(to_hex(as_text(tag.value())), vector.tag);
}

INSTANTIATE_TEST_SUITE_P(Vectors, SealingVector, ::testing::Values(first(), second()));

TEST(KeyVector, HasTheExpectedId) { EXPECT_EQ(to_hex(keyring().current_key_id()), "a25b4d9f9e3e4582"); }

TEST(TokenVector, IsTheExpectedTextAndOpensToItsKey) {
  const SessionKey key{.user_id = "426", .type = "full", .id = "AAECAwQFBgcICQoLDA0ODw"};
  const std::string token =
      "0YRDoQEFoQRIoltNn54-RYJYIYNDNDI2ZGZ1bGxWQUFFQ0F3UUZCZ2NJQ1FvTERBME9Ed1ggZkVSCb0v6DkNL19rz1npyq9v2OAM"
      "yZpz72dh6ISsA00";
  EXPECT_EQ(issue_token(key, keyring()).value(), token);
  EXPECT_EQ(open_token(token, keyring()).value(), key);
  EXPECT_EQ(to_hex(base64url_decode(token).value()),
            "d18443a10105a10448a25b4d9f9e3e4582582183433432366466756c6c5641414543417751464267634943516f4c"
            "4441304f4477582066455209bd2fe8390d2f5f6bcf59e9caaf6fd8e00cc99a73ef6761e884ac034d");
}

}}  // namespace obol::sealing
