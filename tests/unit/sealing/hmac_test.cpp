// HMAC-SHA-256 against RFC 4231, on contexts that are used again, from many threads, and in every way there is.
#include "sealing/hmac.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <string>
#include <thread>
#include <vector>

#include "support/hex.hpp"

namespace obol::sealing { namespace {

using testing::to_hex;

constexpr const char* case_1 = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
constexpr const char* case_2 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
constexpr const char* case_3 = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe";
constexpr const char* case_4 = "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b";
constexpr const char* case_6 = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
constexpr const char* case_7 = "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2";

TEST(Hmac, GivesTheCodesOfRfc4231) {
  const auto key_1 = HmacKey::load(std::string(20, '\x0b'));
  EXPECT_EQ(to_hex(as_text(*key_1->compute({"Hi There"}))), case_1);
  const auto key_2 = HmacKey::load("Jefe");
  EXPECT_EQ(to_hex(as_text(*key_2->compute({"what do ya want for nothing?"}))), case_2);
  const auto key_3 = HmacKey::load(std::string(20, '\xaa'));
  EXPECT_EQ(to_hex(as_text(*key_3->compute({std::string(50, '\xdd')}))), case_3);
  const auto key_4 = HmacKey::load(testing::from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"));
  EXPECT_EQ(to_hex(as_text(*key_4->compute({std::string(50, '\xcd')}))), case_4);
  const auto key_6 = HmacKey::load(std::string(131, '\xaa'));
  EXPECT_EQ(to_hex(as_text(*key_6->compute({"Test Using Larger Than Block-Size Key - Hash Key First"}))), case_6);
  EXPECT_EQ(to_hex(as_text(*key_6->compute({"This is a test using a larger than block-size key and a larger than ",
                                            "block-size data. The key needs to be hashed before being used by the ",
                                            "HMAC algorithm."}))),
            case_7);
}

TEST(Hmac, IsTheSameForAnyCutOfTheMessage) {
  const auto key = HmacKey::load(std::string(20, '\x0b'));
  EXPECT_EQ(to_hex(as_text(*key->compute({"Hi ", "", "There"}))), case_1);
}

class HmacWays : public ::testing::TestWithParam<HmacWay> {};

TEST_P(HmacWays, GivesTheSameCodeAgainAndAgain) {
  const auto key = HmacKey::load(std::string(20, '\x0b'), GetParam());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(to_hex(as_text(*key->compute({"Hi There"}))), case_1);
    EXPECT_NE(to_hex(as_text(*key->compute({"another message"}))), case_1);
  }
}

TEST_P(HmacWays, IsRightFromManyThreadsAtOnce) {
  const auto key = HmacKey::load(std::string(20, '\x0b'), GetParam());
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 16; ++thread) {
    threads.emplace_back([&key] {
      for (int i = 0; i < 500; ++i) ASSERT_EQ(to_hex(as_text(*key->compute({"Hi There"}))), case_1);
    });
  }
}

TEST_P(HmacWays, GivesTheKnownAnswers) {
  const auto key = HmacKey::load("Jefe", GetParam());
  EXPECT_TRUE(gives_known_answers([&key](auto pieces) { return key->compute(pieces); }));
}

TEST_P(HmacWays, GivesTheSameAsTheOthers) {
  for (const std::size_t key_size : {0UL, 1UL, 63UL, 64UL, 65UL, 200UL}) {
    const std::string key(key_size, 'k');
    const auto one = HmacKey::load(key, GetParam());
    const auto other = HmacKey::load(key, HmacWay::duplicate);
    for (std::size_t size = 0; size < 200; ++size) {
      const std::string message(size, 'm');
      ASSERT_EQ(one->compute({message}), other->compute({message})) << key_size << ' ' << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Any, HmacWays, ::testing::Values(HmacWay::states, HmacWay::reinitialise, HmacWay::duplicate));

TEST(HmacChoice, FindsOutTheWayThatForgetsToStartAnew) {
  // As OpenSSL 3.0.0 to 3.0.2 do: the second code is over both messages.
  const auto key = HmacKey::load("Jefe");
  std::string everything;
  EXPECT_FALSE(gives_known_answers([&](auto pieces) {
    for (const auto piece : pieces) everything += piece;
    return key->compute({everything});
  }));
  EXPECT_FALSE(gives_known_answers([](auto) { return std::nullopt; }));
}

TEST(HmacChoice, IsTheCheapestWayThatIsRight) {
  EXPECT_EQ(choose_way([](HmacWay) { return true; }), HmacWay::states);
  EXPECT_EQ(choose_way([](HmacWay way) { return way != HmacWay::states; }), HmacWay::reinitialise);
  EXPECT_EQ(choose_way([](HmacWay way) { return way == HmacWay::duplicate; }), HmacWay::duplicate);
  EXPECT_EQ(choose_way([](HmacWay) { return false; }), std::nullopt);
}

TEST(HmacStates, AreLeftToOpenSslWhereAnotherProviderServesSha256) {
  EXPECT_NE(HmacStates::make("Jefe"), nullptr);
  // As a host with a FIPS module asks for: here there is none, so nothing serves it.
  ASSERT_EQ(EVP_set_default_properties(nullptr, "fips=yes"), 1);
  EXPECT_EQ(HmacStates::make("Jefe"), nullptr);
  EXPECT_EQ(HmacKey::load("Jefe"), nullptr);
  ASSERT_EQ(EVP_set_default_properties(nullptr, ""), 1);
  EXPECT_NE(HmacKey::load("Jefe"), nullptr);
}

TEST(ConstantTimeComparison, ComparesLengthAndEveryByte) {
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
  EXPECT_TRUE(equal_constant_time("", ""));
}

}}  // namespace obol::sealing
