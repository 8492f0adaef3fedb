// Access and refresh tokens: opened only as issued, by their kind and their keyring.
#include "sealing/web_token.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <initializer_list>
#include <limits>
#include <random>
#include <sstream>

#include "base/base64url.hpp"
#include "obol/session_token.hpp"
#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"
#include "sealing/sealing.hpp"
#include "support/hex.hpp"
#include "support/sessions.hpp"
#include "support/worked_example.hpp"

namespace obol::sealing { namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::signing_key;
using enum TokenKind;

constexpr std::initializer_list<TokenKind> kinds{access, refresh};

TokenKind other(TokenKind kind) { return kind == access ? refresh : access; }

sys_seconds at(std::int64_t time) { return sys_seconds(seconds(time)); }

TokenClaims example_claims() {
  return {.session = {.user_id = "426", .type = "full", .id = "S1"},
          .issued_at = at(1'700'000'000),
          .expires_at = at(1'700'000'300),
          .id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
}

class WebToken : public ::testing::TestWithParam<TokenKind> {
 protected:
  std::string write(const TokenClaims& claims) const { return write_web_token(GetParam(), claims, keyring).value(); }
  std::optional<TokenClaims> open(std::string_view text) const { return open_web_token(GetParam(), text, keyring); }

  const Keyring keyring{signing_key()};
  const std::string token = write(example_claims());
};

INSTANTIATE_TEST_SUITE_P(Kinds, WebToken, ::testing::ValuesIn(kinds),
                         [](const auto& kind) { return kind.param == access ? "Access" : "Refresh"; });

TEST_P(WebToken, OpensToTheClaimsItWasIssuedWith) { EXPECT_EQ(open(token), example_claims()); }

TEST_P(WebToken, IsSafeInACookieAndAnAddress) {
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
}

TEST_P(WebToken, KeepsEveryUserIdAndTime) {
  auto claims = example_claims();
  for (const auto& user_id :
       {std::string("a"), std::string("\0", 1), std::string("Ωmega"), std::string("user\0\xFF", 6), std::string("\xC3"),
        std::string(256, '\xFF'), std::string(256, 'u')}) {
    claims.session.user_id = user_id;
    EXPECT_EQ(open(write(claims)), claims);
  }
  for (const auto time : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
                          std::numeric_limits<std::int64_t>::max()}) {
    claims.issued_at = at(time);
    claims.expires_at = at(time);
    EXPECT_EQ(open(write(claims)), claims);
  }
}

TEST_P(WebToken, FitsTheLongestIdsThereMayBe) {
  const TokenClaims longest{
      .session = {.user_id = std::string(256, '\xFF'), .type = std::string(64, 't'), .id = std::string(256, 's')},
      .issued_at = sys_seconds::max(),
      .expires_at = sys_seconds::max()};
  const Keyring long_key_id(SigningKey::from_bytes(std::string(32, 'k'), std::string(32, 'i')).value());
  const auto text = write_web_token(GetParam(), longest, long_key_id).value();
  EXPECT_EQ(open_web_token(GetParam(), text, long_key_id), longest);
}

TEST_P(WebToken, IsRefusedWithAnyByteChanged) {
  const auto bytes = base64url_decode(token).value();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int change : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
      auto changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ change);
      ASSERT_EQ(open(base64url_encode(changed)), std::nullopt) << i << " ^ " << change;
    }
  }
}

TEST_P(WebToken, IsRefusedWithAnyCharacterChangedOrCutOrAdded) {
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char character : {'A', 'B', 'z', '9', '-', '_', '+', '/', '=', ' ', '\0', '\n', '\xFF'}) {
      auto changed = token;
      changed[i] = character;
      if (changed == token) continue;
      ASSERT_EQ(open(changed), std::nullopt) << i;
    }
    ASSERT_EQ(open(token.substr(0, i)), std::nullopt) << i;
    ASSERT_EQ(open(token.substr(i + 1)), std::nullopt) << i;
  }
  EXPECT_EQ(open(token + "A"), std::nullopt);
  EXPECT_EQ(open(token + token), std::nullopt);
}

TEST_P(WebToken, IsNotMadeOfAnyBytes) {
  std::mt19937 random(16);
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<std::size_t> length(0, 300);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(length(random), '\0');
    for (auto& c : bytes) c = static_cast<char>(byte(random));
    ASSERT_EQ(open(bytes), std::nullopt);
    ASSERT_EQ(open(base64url_encode(bytes)), std::nullopt);
  }
  EXPECT_EQ(open(""), std::nullopt);
  EXPECT_EQ(open(std::string(1'000'000, 'A')), std::nullopt);
}

TEST_P(WebToken, OfTheOtherKindIsRefused) {
  EXPECT_EQ(open_web_token(other(GetParam()), token, keyring), std::nullopt);
}

TEST_P(WebToken, IsNoSessionTokenAndNoStoredSessionNorAreTheyOne) {
  EXPECT_FALSE(open_token(token, keyring).has_value());
  EXPECT_EQ(open(issue_token(example_claims().session, keyring).value()), std::nullopt);
  auto session = testing::new_session("426", "S1");
  session.lock_version = 1;
  const auto sealed = seal(session, "obol_{426}:full", keyring, Encryption::off).value();
  EXPECT_EQ(open(base64url_encode(sealed.substr(8))), std::nullopt);
  const auto as_session = encode_lock_version(1) + base64url_decode(token).value();
  EXPECT_FALSE(sealing::open(as_session, "obol_{426}:full", session.key(), keyring, Encryption::off).has_value());
}

TEST_P(WebToken, OfAnotherKeyringIsRefusedAndOfAnOlderKeyOpens) {
  EXPECT_EQ(open_web_token(GetParam(), token, Keyring(signing_key('n'))), std::nullopt);
  EXPECT_EQ(open_web_token(GetParam(), token, Keyring()), std::nullopt);
  const auto rotated = Keyring(signing_key('n')).with_verifying_key(signing_key()).value();
  EXPECT_EQ(open_web_token(GetParam(), token, rotated), example_claims());
  const auto newer = write_web_token(GetParam(), example_claims(), rotated).value();
  EXPECT_EQ(open(newer), std::nullopt);
  EXPECT_EQ(open_web_token(GetParam(), newer, Keyring(signing_key('n'))), example_claims());
}

TEST_P(WebToken, OfAKeyWithTheSameIdIsRefused) {
  const Keyring one(SigningKey::from_bytes(std::string(32, 'a'), "k1").value());
  const Keyring two(SigningKey::from_bytes(std::string(32, 'b'), "k1").value());
  EXPECT_EQ(open_web_token(GetParam(), write_web_token(GetParam(), example_claims(), one).value(), two), std::nullopt);
}

TEST_P(WebToken, IsNotIssuedForABadKeyOrWithoutAKeyring) {
  auto claims = example_claims();
  EXPECT_EQ(write_web_token(GetParam(), claims, Keyring()).error().code, ErrorCode::invalid_argument);
  claims.session.user_id.clear();
  EXPECT_EQ(write_web_token(GetParam(), claims, keyring).error().code, ErrorCode::invalid_argument);
}

/// Signed by the right key and of the right kind, so that only the claims can be wrong.
class SignedClaims : public ::testing::Test {
 protected:
  static constexpr std::string_view head =
      "\xD1\x84\x58\x25\xA2\x01\x05\x10\x78\x1F"
      "application/vnd.obol.access+cwt"
      "\xA1\x04";

  bool opens(std::string_view payload) const {
    std::string token;
    EXPECT_TRUE(write_mac0(token, keyring.keys()->current(), {}, payload,
                           {.before_key_id = head, .protected_header = head.substr(4, 0x25)}));
    return open_web_token(access, base64url_encode(token), keyring).has_value();
  }

  /// "a6" is a map of six.
  bool opens_hex(const std::string& claims) const { return opens(testing::from_hex("a6" + claims)); }

  const Keyring keyring{signing_key()};
  const std::string subject = "0263343236";
  const std::string times = "041a6553f22c061a6553f100";
  const std::string id = "07500102030405060708090a0b0c0d0e0f10";
  const std::string session = "3a00010000425331";
  const std::string type = "3a000100016466756c6c";
};

TEST_F(SignedClaims, OpenInTheirOneForm) {
  EXPECT_TRUE(opens_hex(subject + times + id + session + type));
  EXPECT_TRUE(opens_hex(times + id + session + type + "3a0001000241ff"));
}

TEST_F(SignedClaims, AreRefusedInAnyOther) {
  EXPECT_FALSE(opens(testing::from_hex("a5" + times + id + session + type))) << "no user";
  EXPECT_FALSE(opens(testing::from_hex("a7" + subject + times + id + session + type + "3a0001000241ff")))
      << "two users";
  EXPECT_FALSE(opens_hex(subject + times + id + session + type + "00")) << "a rest";
  EXPECT_FALSE(opens_hex(times + subject + id + session + type)) << "another order";
  EXPECT_FALSE(opens_hex("0261ff" + times + id + session + type)) << "a subject that is no text";
  EXPECT_FALSE(opens_hex("0260" + times + id + session + type)) << "an empty subject";
  EXPECT_FALSE(opens_hex(times + id + session + type + "3a000100024161")) << "text as bytes";
  EXPECT_FALSE(opens_hex(subject + times + "074101" + session + type)) << "a short id";
  EXPECT_FALSE(opens_hex(subject + times + id + "3a0001000040" + type)) << "an empty session id";
  EXPECT_FALSE(opens_hex(subject + times + id + session + "3a00010001613a")) << "a bad type";
  EXPECT_FALSE(opens_hex(subject + "04fb41d954fc8b000000061a6553f100" + id + session + type)) << "a float";
  EXPECT_FALSE(opens(""));
  EXPECT_FALSE(opens(testing::from_hex("80")));
  const auto whole = testing::from_hex("a6" + subject + times + id + session + type);
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(opens(whole.substr(0, length))) << length;
}

TEST(WebTokenFormat, IsThatOfTheDocument) {
  std::ostringstream document;
  document << std::ifstream(OBOL_TEST_SOURCE_DIR "/../docs/stored-format.md").rdbuf();
  for (const auto kind : kinds) {
    const auto token = write_web_token(kind, example_claims(), testing::example_keyring()).value();
    EXPECT_NE(document.str().find("    " + token + "\n"), std::string::npos) << token;
    EXPECT_EQ(open_web_token(kind, token, testing::example_keyring()), example_claims());
  }
  const auto bytes = base64url_decode(write_web_token(access, example_claims(), testing::example_keyring()).value());
  cbor::Reader reader(*bytes);
  ASSERT_EQ(reader.tag(), 17U);
  ASSERT_EQ(reader.array(), 4U);
  const auto protected_header = reader.bytes().value();
  ASSERT_TRUE(reader.skip());
  const auto claims = reader.bytes().value();
  std::string structure;
  cbor::Writer(structure).array(4).text("MAC0").bytes(protected_header).bytes("").bytes(claims);
  EXPECT_NE(document.str().find("    " + testing::to_hex(claims) + "\n"), std::string::npos);
  EXPECT_NE(document.str().find("    " + testing::to_hex(structure) + "\n"), std::string::npos);
}

}}  // namespace obol::sealing
