// A deadline ends reads and writes, however many bytes come and however few are taken.
#include "redis/net/stream.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "support/scripted_stream.hpp"

namespace obol::redis { namespace {

using testing::Script;
using testing::ScriptedStream;

class StreamTest : public ::testing::Test {
 protected:
  static Deadline passed() { return Deadline::after(std::chrono::milliseconds(-1)); }
  static Deadline far() { return Deadline::after(std::chrono::hours(1)); }

  Result<std::size_t> read(Deadline deadline) { return stream.read_some(buffer.data(), buffer.size(), deadline); }

  std::array<char, 16> buffer{};
  std::shared_ptr<Script> script = std::make_shared<Script>();
  ScriptedStream stream{script};
};

TEST_F(StreamTest, BeginsNoReadAfterTheDeadlineThoughBytesKeepComing) {
  script->endless = "more";
  ASSERT_TRUE(read(far()).has_value());
  const auto late = read(passed());
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::timeout);
  EXPECT_EQ(script->reads, 1);
}

TEST_F(StreamTest, ReadsOnceBehindAWriteWhatCameInTimeForAThreadThatIsLate) {
  script->endless = "more";
  ASSERT_TRUE(stream.write_all("command", far()).has_value());
  EXPECT_EQ(read(passed()).value(), 4U);
  EXPECT_EQ(read(passed()).error().code, ErrorCode::timeout);
  EXPECT_EQ(script->reads, 1);
}

TEST_F(StreamTest, DoesNotWaitAfterTheDeadline) {
  EXPECT_EQ(read(passed()).error().code, ErrorCode::timeout);
  EXPECT_EQ(script->waits, 0);
}

TEST_F(StreamTest, EndsAReadThatIsToldAgainAndAgainThatBytesAreThere) {
  const auto late = read(Deadline::after(std::chrono::milliseconds(1)));
  EXPECT_EQ(late.error().code, ErrorCode::timeout) << late.error().message;
}

TEST_F(StreamTest, GoesOnReadingWithALaterDeadlineAfterATimeout) {
  EXPECT_FALSE(read(passed()).has_value());
  script->pieces.emplace_back("late");
  EXPECT_EQ(read(far()).value(), 4U);
}

TEST_F(StreamTest, EndsAWriteThatIsTakenByteByByte) {
  script->most_taken = 1;
  const auto sent = stream.write_all(std::string(1000, 'x'), passed());
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, ErrorCode::timeout);
  EXPECT_EQ(script->writes, 1);
}

TEST_F(StreamTest, EndsAWriteThatNothingIsTakenOf) {
  script->most_taken = 0;
  const auto sent = stream.write_all("command", Deadline::after(std::chrono::milliseconds(1)));
  EXPECT_EQ(sent.error().code, ErrorCode::timeout) << sent.error().message;
}

TEST_F(StreamTest, WritesAllThatIsTakenInPieces) {
  script->most_taken = 3;
  EXPECT_TRUE(stream.write_all("a command", far()).has_value());
  EXPECT_EQ(script->written, "a command");
}

}}  // namespace obol::redis
