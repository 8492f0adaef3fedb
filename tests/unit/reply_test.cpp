// Replies out of bytes: every kind, however the bytes are cut, and nothing a server sends can exhaust us.
#include "redis/reply.hpp"

#include <gtest/gtest.h>

#include <string>

namespace obol::redis {
namespace {

Result<std::optional<Reply>> read(std::string_view bytes, std::size_t limit = 1024 * 1024) {
  ReplyReader reader(limit);
  if (auto fed = reader.feed(bytes); !fed) return std::unexpected(fed.error());
  return reader.next();
}

TEST(Reply, ReadsEveryKindTheStoreUses) {
  EXPECT_EQ((*read("+OK\r\n"))->text, "OK");
  EXPECT_EQ((*read(":-7\r\n"))->integer, -7);
  EXPECT_EQ((*read(std::string_view("$3\r\na\0b\r\n", 9)))->text, std::string_view("a\0b", 3));
  EXPECT_EQ((*read("_\r\n"))->kind, Reply::Kind::nil);
  EXPECT_EQ((*read("$-1\r\n"))->kind, Reply::Kind::nil);
  EXPECT_EQ((*read("-READONLY You can't\r\n"))->error_word(), "READONLY");
  EXPECT_EQ((*read("*2\r\n:1\r\n:2\r\n"))->elements.at(1).integer, 2);
  EXPECT_EQ((*read(">1\r\n+x\r\n"))->kind, Reply::Kind::push);
  EXPECT_EQ((*read("=7\r\ntxt:abc\r\n"))->text, "abc");
}

TEST(Reply, FindsAMapsValueByItsKey) {
  const auto reply = read("%2\r\n+server\r\n+valkey\r\n+version\r\n+9.1.2\r\n");
  ASSERT_TRUE(reply && *reply);
  EXPECT_EQ((*reply)->kind, Reply::Kind::map);
  EXPECT_EQ((*reply)->find("version")->text, "9.1.2");
  EXPECT_EQ((*reply)->find("mode"), nullptr);
}

TEST(Reply, IsTheSameHoweverItsBytesAreSplit) {
  const std::string bytes = "%2\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n$1\r\nb\r\n$4\r\n\r\n\r\n\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    ReplyReader reader(1024);
    ASSERT_TRUE(reader.feed(bytes.substr(0, cut)));
    auto early = reader.next();
    ASSERT_TRUE(early.has_value());
    ASSERT_EQ(early->has_value(), cut == bytes.size());
    if (cut == bytes.size()) continue;
    ASSERT_TRUE(reader.feed(bytes.substr(cut)));
    const auto reply = reader.next();
    ASSERT_TRUE(reply && *reply);
    EXPECT_EQ((*reply)->find("a")->elements.size(), 2U);
    EXPECT_EQ((*reply)->find("b")->text, "\r\n\r\n");
    EXPECT_FALSE(reader.has_unread_bytes());
  }
}

TEST(Reply, LeavesTheBytesBehindItForTheNextOne) {
  ReplyReader reader(1024);
  ASSERT_TRUE(reader.feed("+one\r\n+two\r\n"));
  EXPECT_EQ((*reader.next())->text, "one");
  EXPECT_TRUE(reader.has_unread_bytes());
  EXPECT_EQ((*reader.next())->text, "two");
  EXPECT_FALSE(reader.has_unread_bytes());
}

TEST(Reply, ThatIsNotWholeYetCountsAsUnreadBytes) {
  for (const auto* bytes : {"_", ":1", "$5\r\nab", "*2\r\n:1\r\n", "*2\r\n"}) {
    ReplyReader reader(1024);
    ASSERT_TRUE(reader.feed(bytes));
    ASSERT_FALSE(reader.next()->has_value()) << bytes;
    EXPECT_TRUE(reader.has_unread_bytes()) << bytes;
  }
}

TEST(Reply, OfForeignBytesIsAProtocolError) {
  for (const auto* bytes : {"HTTP/1.1 400 Bad Request\r\n", "\x16\x03\x01\r\n", ":abc\r\n", "$-5\r\n", "*-9\r\n"}) {
    const auto reply = read(bytes);
    ASSERT_FALSE(reply.has_value()) << bytes;
    EXPECT_EQ(reply.error().code, ErrorCode::protocol);
  }
}

TEST(Reply, OverTheLimitIsTooLarge) {
  const auto reply = read("$2000\r\n" + std::string(1500, 'x'), 1024);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::too_large);
}

TEST(Reply, NestedWithoutEndIsRefused) {
  std::string bytes;
  for (int i = 0; i < 2000; ++i) bytes += "*1\r\n";
  const auto reply = read(bytes);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::protocol);
}

TEST(Reply, ThatAnnouncesMoreElementsThanAnybodyCouldSendTakesNoMemory) {
  for (const auto* bytes : {"*4000000\r\n", "*4000000\r\n*4000000\r\n*4000000\r\n"}) {
    const auto reply = read(bytes);
    ASSERT_TRUE(reply.has_value());
    EXPECT_FALSE(reply->has_value());
  }
  EXPECT_FALSE(read("*4294967295\r\n").has_value());
}

}  // namespace
}  // namespace obol::redis
