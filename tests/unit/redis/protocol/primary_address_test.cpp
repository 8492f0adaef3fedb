// What a sentinel says about a primary, and what is not believed.
#include "redis/protocol/primary_address.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/replies.hpp"

namespace obol::redis { namespace {

Result<std::optional<ServerAddress>> answer(std::string_view bytes) { return primary_answer(testing::parsed(bytes)); }

TEST(SentinelAnswer, NamesThePrimarysAddress) {
  EXPECT_EQ(answer("*2\r\n$3\r\n::1\r\n$4\r\n6380\r\n").value(), (ServerAddress{.host = "::1", .port = 6380}));
  EXPECT_EQ(answer("*2\r\n$4\r\nname\r\n$5\r\n65535\r\n").value(), (ServerAddress{.host = "name", .port = 65535}));
}

TEST(SentinelAnswer, IsNothingWhereItKnowsNoneOfThatName) {
  EXPECT_EQ(answer("_\r\n").value(), std::nullopt);
  EXPECT_EQ(answer("*-1\r\n").value(), std::nullopt);
}

TEST(SentinelAnswer, OfAnotherKindIsAProtocolError) {
  for (const auto* bytes : {"*0\r\n", "+OK\r\n", "*1\r\n$4\r\nname\r\n", "*2\r\n$0\r\n\r\n$4\r\n6380\r\n",
                            "*2\r\n$4\r\nname\r\n$1\r\n0\r\n", "*2\r\n$4\r\nname\r\n$5\r\n65536\r\n",
                            "*2\r\n$4\r\nname\r\n$2\r\n1x\r\n", "*2\r\n$4\r\nname\r\n$0\r\n\r\n"}) {
    const auto refused = answer(bytes);
    ASSERT_FALSE(refused.has_value()) << bytes;
    EXPECT_EQ(refused.error().code, ErrorCode::protocol);
  }
}

TEST(SentinelAnswer, ThatRefusesSaysWhy) {
  EXPECT_EQ(answer("-NOPERM User web has no permissions\r\n").error().code, ErrorCode::permission);
  EXPECT_EQ(answer("-NOAUTH Authentication required.\r\n").error().code, ErrorCode::auth);
}

}}  // namespace obol::redis
