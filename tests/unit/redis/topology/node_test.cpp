// How a node opens connections for its pool and for others, and what it counts and tells of them.
#include "redis/topology/node.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/scripted_connection.hpp"
#include "unit/redis/topology/topology_fixture.hpp"

namespace obol::redis { namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Time = Deadline::Time;

/// Leads to a scripted server, or nowhere.
class ScriptedSource final : public ConnectionSource {
 public:
  Result<Connection> dial(Deadline deadline) override {
    asked_until.push_back(deadline.time());
    if (failure) return std::unexpected(*failure);
    auto script = std::make_shared<testing::Script>();
    script->pieces.push_back(testing::greeting("master"));
    auto connection = testing::connection_of(std::move(script));
    if (auto greeted = connection.handshake({}, {}, Peer::primary, deadline); !greeted) {
      return std::unexpected(greeted.error());
    }
    return connection;
  }

  std::string endpoint() const override { return "scripted:6379"; }

  std::optional<Error> failure{};
  std::vector<Time::time_point> asked_until{};
};

struct Told {
  std::string endpoint, server, reason;
  bool operator==(const Told&) const = default;
};

class NodeTest : public ::testing::Test {
 protected:
  NodeTest() {
    owner.events.on_connection = [this](std::string_view endpoint, std::string_view server, std::string_view reason) {
      told.push_back({std::string(endpoint), std::string(server), std::string(reason)});
    };
  }

  std::unique_ptr<Node> make_node() {
    return std::make_unique<Node>(owner.settings(), source,
                                  [this](Deadline deadline) { unreachable_until.push_back(deadline.time()); });
  }

  testing::NodeOwner owner;
  std::shared_ptr<ScriptedSource> source = std::make_shared<ScriptedSource>();
  std::vector<Told> told;
  std::vector<Time::time_point> unreachable_until;
};

TEST_F(NodeTest, DialsWithinTheConnectTimeout) {
  const auto node = make_node();
  const auto before = Time::now();
  ASSERT_TRUE(node->dial(Deadline::after(hours(1))).has_value());
  const auto after = Time::now();
  ASSERT_EQ(source->asked_until.size(), 1U);
  EXPECT_GE(source->asked_until.front(), before + minutes(1));
  EXPECT_LE(source->asked_until.front(), after + minutes(1));
}

TEST_F(NodeTest, LeavesToTheCallerToReportWhatItDialed) {
  const auto node = make_node();
  const auto connection = node->dial(Deadline::after(hours(1)));
  ASSERT_TRUE(connection.has_value());
  EXPECT_EQ(owner.counts.opened, 0U);
  EXPECT_TRUE(told.empty());

  node->report(connection->server(), {});
  node->report(connection->server(), "the peer went away");
  EXPECT_EQ(owner.counts.opened, 1U);
  EXPECT_EQ(owner.counts.failed, 0U);
  EXPECT_EQ(told, (std::vector<Told>{{"scripted:6379", "Valkey 9.1.2", ""},
                                     {"scripted:6379", "Valkey 9.1.2", "the peer went away"}}));
}

TEST_F(NodeTest, LooksForAnotherServerOnlyAfterAFailureThatMayPass) {
  const auto node = make_node();
  const auto deadline = Deadline::after(hours(1));
  source->failure = Error{ErrorCode::auth, "wrong password"};
  EXPECT_EQ(node->dial(deadline).error().code, ErrorCode::auth);
  EXPECT_EQ(owner.counts.failed, 1U);
  EXPECT_TRUE(unreachable_until.empty());

  source->failure = Error{ErrorCode::unavailable, "refused"};
  EXPECT_EQ(node->dial(deadline).error().code, ErrorCode::unavailable);
  EXPECT_EQ(owner.counts.failed, 2U);
  EXPECT_EQ(unreachable_until, std::vector{deadline.time()}) << "the caller's, not the connect time-out's";
}

TEST_F(NodeTest, DialsForItsPoolAsForOthers) {
  const auto node = make_node();
  {
    ASSERT_TRUE(node->pool().checkout(Deadline::after(hours(1))).has_value());
  }
  EXPECT_EQ(owner.counts.opened, 1U);
  node->close();
  EXPECT_EQ(told, (std::vector<Told>{{"scripted:6379", "Valkey 9.1.2", ""},
                                     {"scripted:6379", "Valkey 9.1.2", "the pool was closed"}}));
}

}}  // namespace obol::redis
