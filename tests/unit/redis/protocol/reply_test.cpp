// Replies out of bytes: every kind, however the bytes are cut, and nothing a server sends can exhaust us.
#include "redis/protocol/reply.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <system_error>

namespace obol::redis { namespace {

Result<std::optional<Reply>> read(std::string_view bytes, std::size_t limit = 1024 * 1024) {
  ReplyReader reader(limit);
  reader.feed(bytes);
  return reader.next();
}

std::error_code code_of(std::string_view bytes, std::size_t limit) {
  const auto reply = read(bytes, limit);
  return reply ? std::error_code() : reply.error().code;
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
    reader.feed(bytes.substr(0, cut));
    auto early = reader.next();
    ASSERT_TRUE(early.has_value());
    ASSERT_EQ(early->has_value(), cut == bytes.size());
    if (cut == bytes.size()) continue;
    reader.feed(bytes.substr(cut));
    const auto reply = reader.next();
    ASSERT_TRUE(reply && *reply);
    EXPECT_EQ((*reply)->find("a")->elements.size(), 2U);
    EXPECT_EQ((*reply)->find("b")->text, "\r\n\r\n");
    EXPECT_FALSE(reader.has_unread_bytes());
  }
}

TEST(Reply, LeavesTheBytesBehindItForTheNextOne) {
  ReplyReader reader(1024);
  reader.feed("+one\r\n+two\r\n");
  EXPECT_EQ((*reader.next())->text, "one");
  EXPECT_TRUE(reader.has_unread_bytes());
  EXPECT_EQ((*reader.next())->text, "two");
  EXPECT_FALSE(reader.has_unread_bytes());
}

TEST(Reply, ThatIsNotWholeYetCountsAsUnreadBytes) {
  for (const auto* bytes : {"_", ":1", "$5\r\nab", "*2\r\n:1\r\n", "*2\r\n"}) {
    ReplyReader reader(1024);
    reader.feed(bytes);
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

std::string nils(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += "_\r\n";
  return bytes;
}

TEST(Reply, CostsItsBytesAndSomethingForEachElement) {
  const std::string bytes = "*2\r\n%1\r\n$1\r\na\r\n_\r\n:1\r\n";
  const auto cost = bytes.size() + 4 * ReplyReader::element_cost;
  const auto within = read(bytes, cost);
  EXPECT_TRUE(within && *within);
  EXPECT_EQ(code_of(bytes, cost - 1), ErrorCode::too_large);
  const auto behind_another = read(bytes + bytes, cost);
  EXPECT_TRUE(behind_another && *behind_another) << "what comes behind a reply is not of its cost";
}

TEST(Reply, OfTinyElementsIsRefusedBeforeTheyAreStored) {
  constexpr std::size_t limit = std::size_t{64} * 1024;
  EXPECT_EQ(code_of("*2000\r\n", limit), ErrorCode::too_large);
  EXPECT_EQ(code_of("%600\r\n", limit), ErrorCode::too_large) << "a map has two elements for each pair";
  EXPECT_EQ(code_of(fmt::format("*3\r\n*500\r\n{}*600\r\n", nils(500)), limit), ErrorCode::too_large)
      << "all lists of a reply count together";
  EXPECT_EQ(code_of("*4000000\r\n" + std::string(100, '_'), limit), ErrorCode::too_large);
}

std::size_t capacity_of(const Reply& reply) {
  std::size_t capacity = reply.elements.capacity();
  for (const auto& element : reply.elements) capacity += capacity_of(element);
  return capacity;
}

TEST(Reply, HoldsNoMoreElementsThanWereAnnounced) {
  for (const int count : {1, 2, 3, 64, 65, 100, 129, 1000}) {
    const auto inner = fmt::format("*{}\r\n{}", count, nils(count));
    const auto reply = read("*2\r\n" + inner + inner);
    ASSERT_TRUE(reply && *reply);
    EXPECT_EQ(capacity_of(**reply), static_cast<std::size_t>(2 + 2 * count));
  }
}

TEST(Reply, IsNotWaitedForBehindMoreUnusedPushesThanItMayCostItself) {
  const std::string push = ">1\r\n+x\r\n";
  const auto cost = push.size() + ReplyReader::element_cost;
  for (const bool is_wasted : {false, true}) {
    ReplyReader reader(3 * cost);
    for (int i = 0; i < 4; ++i) {
      reader.feed(push);
      ASSERT_TRUE(reader.next()->has_value());
      if (is_wasted) reader.count_as_waste();
    }
    reader.feed("+OK\r\n");
    EXPECT_EQ(reader.next().has_value(), !is_wasted);
  }
}

std::size_t memory_in_use() {
  const auto use = ::mallinfo2();
  return use.uordblks + use.hblkhd;
}

TEST(Reply, ThatWasLargeLeavesNoLargeBufferBehind) {
  constexpr std::size_t size = std::size_t{8} * 1024 * 1024;
  const auto bytes = fmt::format("*2\r\n${0}\r\n{1}\r\n${0}\r\n{1}\r\n", size, std::string(size, 'x'));
  const auto before = memory_in_use();
  ReplyReader reader(4 * size);
  for (std::size_t at = 0; at < bytes.size(); at += 65'536) {
    reader.feed(std::string_view(bytes).substr(at, 65'536));
    const auto reply = reader.next();
    ASSERT_TRUE(reply.has_value());
    ASSERT_EQ(reply->has_value(), at + 65'536 >= bytes.size());
  }
  EXPECT_LT(memory_in_use(), before + size / 8) << "an idle connection keeps it";
}

TEST(Reply, OfALineWithoutAnEndIsAProtocolError) {
  for (const auto* start : {"+", "-", ":", "$1", "*1", "*2\r\n+"}) {
    const auto reply = read(start + std::string(200'000, '1'));
    ASSERT_FALSE(reply.has_value()) << start;
    EXPECT_EQ(reply.error().code, ErrorCode::protocol) << start;
  }
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
    const auto before = memory_in_use();
    ReplyReader reader(std::size_t{1} << 30U);
    reader.feed(bytes);
    const auto reply = reader.next();
    ASSERT_TRUE(reply.has_value());
    EXPECT_FALSE(reply->has_value());
    EXPECT_LT(memory_in_use(), before + 1'000'000) << bytes;
  }
  EXPECT_FALSE(read("*4294967295\r\n").has_value());
}

}}  // namespace obol::redis
