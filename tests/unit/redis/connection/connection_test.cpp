// What a connection asks of its server, and how it ends when the server does not keep to the protocol.
#include "redis/connection/connection.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "support/scripted_stream.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::Script;
using testing::ScriptedStream;

constexpr std::size_t reply_limit = std::size_t{64} * 1024;

std::string greeting(std::string_view role, std::string_view mode = "standalone") {
  return fmt::format("%4\r\n+server\r\n+valkey\r\n+version\r\n+9.1.2\r\n+mode\r\n+{}\r\n+role\r\n+{}\r\n", mode, role);
}

class ConnectionTest : public ::testing::Test {
 protected:
  static Deadline passed() { return Deadline::after(milliseconds(-1)); }
  static Deadline far() { return Deadline::after(std::chrono::hours(1)); }

  Connection connection(milliseconds role_interval = role_check_interval) {
    return {std::make_unique<ScriptedStream>(script), reply_limit, false, role_interval};
  }

  Connection introduced() {
    script->pieces.push_front(greeting("master"));
    auto made = connection();
    EXPECT_TRUE(made.handshake({}, {}, Peer::node, far()).has_value());
    return made;
  }

  std::shared_ptr<Script> script = std::make_shared<Script>();
};

// As if the greeting had taken as long as a role counts for.
TEST_F(ConnectionTest, AsksOnlyThoseForTheirRoleThatMustHaveOne) {
  struct Case {
    Peer peer;
    std::string role, mode;
    bool asks_again;
  };
  for (const auto& [peer, role, mode, asks_again] :
       {Case{Peer::primary, "master", "standalone", true}, Case{Peer::replica, "slave", "standalone", false},
        Case{Peer::node, "slave", "cluster", false}, Case{Peer::sentinel, "sentinel", "sentinel", false}}) {
    SCOPED_TRACE(role);
    *script = {};
    script->pieces.push_back(greeting(role, mode));
    auto asked = connection(milliseconds(0));
    const auto introduced = asked.handshake({}, {}, peer, far());
    ASSERT_TRUE(introduced.has_value()) << introduced.error().message;
    script->written.clear();
    if (asks_again) script->pieces.push_back(greeting(role, mode));
    script->pieces.emplace_back("+PONG\r\n");
    const auto reply = asked.call(Command{"PING"}, far());
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->text, "PONG");
    EXPECT_EQ(script->written.contains("HELLO"), asks_again);
  }
}

TEST_F(ConnectionTest, EndsByItsDeadlineThoughPushesComeWithoutAnEnd) {
  script->endless = ">1\r\n+news\r\n";
  auto flooded = introduced();
  const auto reply = flooded.call(Command{"PING"}, passed());
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::timeout) << reply.error().message;
}

TEST_F(ConnectionTest, EndsByItsDeadlineThoughAReplyIsNeverWhole) {
  script->pieces.emplace_back("*900\r\n");
  script->endless = "_\r\n";
  auto flooded = introduced();
  const auto reply = flooded.call(Command{"PING"}, passed());
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::timeout) << reply.error().message;
}

TEST_F(ConnectionTest, EndsWhenMorePushesThatNobodyTakesCameThanAReplyMayCost) {
  script->endless = ">2\r\n+news\r\n+" + std::string(1000, 'x') + "\r\n";
  auto flooded = introduced();
  const auto reply = flooded.call(Command{"PING"}, far());
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::protocol) << reply.error().message;
}

TEST_F(ConnectionTest, TakesAnyNumberOfPushesInTheCourseOfManyReplies) {
  auto busy = introduced();
  script->on_write = [](Script& now) {
    now.pieces.push_back(">2\r\n+news\r\n+" + std::string(1000, 'x') + "\r\n");
    now.pieces.emplace_back("+PONG\r\n");
  };
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(busy.call(Command{"PING"}, far()).has_value()) << i;
}

TEST_F(ConnectionTest, DoesNotCountPushesThatAreTaken) {
  for (int i = 0; i < 200; ++i) script->pieces.push_back(">2\r\n+news\r\n+" + std::string(1000, 'x') + "\r\n");
  script->pieces.emplace_back("+PONG\r\n");
  auto listening = introduced();
  int taken = 0;
  listening.on_push([&](const Reply&) { ++taken; });
  const auto reply = listening.call(Command{"PING"}, far());
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(taken, 200);
}

TEST_F(ConnectionTest, TakesInAReplyThatIsAsLargeAsTheLimitThoughOthersComeWithIt) {
  const std::string large = fmt::format("${}\r\n{}\r\n", reply_limit - 10, std::string(reply_limit - 10, 'x'));
  for (int i = 0; i < 5; ++i) script->pieces.push_back(large + "+OK\r\n" + large);
  auto busy = introduced();
  ASSERT_TRUE(busy.send(Command{"PING"}.bytes(), far()).has_value());
  int replies = 0;
  while (replies < 15) {
    const auto reply = busy.next_reply();
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    if (*reply) {
      ++replies;
    } else {
      ASSERT_TRUE(busy.receive(far()).has_value());
    }
  }
}

}}  // namespace obol::redis
