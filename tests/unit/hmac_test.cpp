// HMAC-SHA-256 against RFC 4231, on contexts that are used again, from many threads, and in both ways of reuse.
#include "sealing/hmac.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "support/hex.hpp"

namespace obol::sealing {
namespace {

using testing::to_hex;

constexpr const char* case_1 = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
constexpr const char* case_6 = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";

TEST(Hmac, GivesTheCodesOfRfc4231) {
  const auto key_1 = HmacKey::load(std::string(20, '\x0b'));
  EXPECT_EQ(to_hex(as_text(*key_1->compute({"Hi There"}))), case_1);
  const auto key_6 = HmacKey::load(std::string(131, '\xaa'));
  EXPECT_EQ(to_hex(as_text(*key_6->compute({"Test Using Larger Than Block-Size Key - Hash Key First"}))), case_6);
}

TEST(Hmac, IsTheSameForAnyCutOfTheMessage) {
  const auto key = HmacKey::load(std::string(20, '\x0b'));
  EXPECT_EQ(to_hex(as_text(*key->compute({"Hi ", "", "There"}))), case_1);
}

class HmacReuse : public ::testing::TestWithParam<ContextReuse> {};

TEST_P(HmacReuse, GivesTheSameCodeAgainAndAgain) {
  const auto key = HmacKey::load(std::string(20, '\x0b'), GetParam());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(to_hex(as_text(*key->compute({"Hi There"}))), case_1);
    EXPECT_NE(to_hex(as_text(*key->compute({"another message"}))), case_1);
  }
}

TEST_P(HmacReuse, IsRightFromManyThreadsAtOnce) {
  const auto key = HmacKey::load(std::string(20, '\x0b'), GetParam());
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 16; ++thread) {
    threads.emplace_back([&key] {
      for (int i = 0; i < 500; ++i) ASSERT_EQ(to_hex(as_text(*key->compute({"Hi There"}))), case_1);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, HmacReuse, ::testing::Values(ContextReuse::reinitialise, ContextReuse::duplicate));

TEST(ConstantTimeComparison, ComparesLengthAndEveryByte) {
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
  EXPECT_TRUE(equal_constant_time("", ""));
}

}  // namespace
}  // namespace obol::sealing
