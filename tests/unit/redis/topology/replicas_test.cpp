// Which replica is picked, and when the primary is asked first.
#include "redis/topology/replicas.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "redis/connection/dialer.hpp"
#include "redis/topology/node.hpp"
#include "support/await.hpp"
#include "support/scripted_connection.hpp"
#include "unit/redis/topology/topology_fixture.hpp"

namespace obol::redis { namespace {

using std::chrono::hours;
using testing::Script;

/// A primary that says what the test wants, and how often it was asked.
class ReplicasTest : public ::testing::Test {
 protected:
  static Deadline far() { return Deadline::after(hours(1)); }

  static std::string told(std::string_view info) { return fmt::format("${}\r\n{}\r\n", info.size(), info); }

  /// "127.0.0.1:PORT", as the primary names it.
  static std::string replica(int port) {
    return fmt::format("slave0:ip=127.0.0.1,port={},state=online,offset=42,lag=0\r\n", port);
  }

  std::string picked() { return name_of(replicas.pick(primary, far())); }
  std::string known() { return name_of(replicas.known()); }
  static std::string name_of(const NodeHandle& node) { return node ? node->source().endpoint() : "none"; }

  testing::NodeOwner owner;
  int asked = 0;
  std::string answer = replica(1);
  Pool primary{{},
               owner.timeouts,
               owner.budget,
               [this](Deadline) -> Result<Connection> {
                 auto script = std::make_shared<Script>();
                 script->on_write = [this](Script& now) {
                   ++asked;
                   const auto marker = now.written.rfind('$');
                   now.pieces.push_back(told(answer) + now.written.substr(marker));
                 };
                 return testing::connection_of(script);
               },
               [](const Connection&, std::string_view) {}};
  Replicas replicas{hours(1), [this](const ServerAddress& address) {
                      return std::make_shared<Node>(
                          owner.settings(), std::make_shared<Dialer>(
                                                ConnectionOptions{.host = address.host, .port = address.port}, 1024));
                    }};
};

TEST_F(ReplicasTest, AreNotKnownBeforeThePrimaryWasAsked) {
  EXPECT_TRUE(replicas.must_ask());
  EXPECT_TRUE(replicas.must_ask()) << "to look asks nobody";
  EXPECT_EQ(known(), "none");
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(picked(), "127.0.0.1:1");
  EXPECT_EQ(asked, 1);
}

TEST_F(ReplicasTest, AreKnownWithoutAQuestionOnceThePrimaryHasTold) {
  ASSERT_EQ(picked(), "127.0.0.1:1");
  answer = replica(2);
  EXPECT_EQ(known(), "127.0.0.1:1");
  EXPECT_EQ(asked, 1);
  testing::await("the next question to be due", [this] { return replicas.must_ask(); });
  EXPECT_EQ(known(), "127.0.0.1:1") << "what is known serves on";
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(picked(), "127.0.0.1:2");
  EXPECT_EQ(asked, 2);
}

TEST_F(ReplicasTest, AreNeitherAskedForNorKnownOnceTheyAreClosed) {
  ASSERT_EQ(picked(), "127.0.0.1:1");
  replicas.close();
  EXPECT_EQ(known(), "none");
  EXPECT_EQ(picked(), "none");
  testing::await("the time of the next question",
                 [until = Deadline::after(Replicas::pause)] { return until.passed(); });
  EXPECT_FALSE(replicas.must_ask());
}

}}  // namespace obol::redis
