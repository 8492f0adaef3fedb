// Learning the slot map while a node of the cluster hangs.
#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "redis/topology/cluster.hpp"
#include "support/server_test.hpp"
#include "support/test_cluster.hpp"

namespace obol::testing { namespace {

using std::chrono::seconds;

class SlotLearning : public ::testing::TestWithParam<ServerKind> {
 protected:
  const Timeouts timeouts{.connect = seconds(8), .command = seconds(8), .total = seconds(30)};
  redis::RetryBudget budget;
  redis::ConnectionCounts counts;

  redis::Node::Settings settings() {
    return {.pool = {}, .timeouts = timeouts, .events = {}, .budget = budget, .counts = counts};
  }
};

// It has just answered, so it is asked first and over its pool, but only for its share of the time.
TEST_P(SlotLearning, AsksTheOthersIfTheNodeThatSentACallAwayDoesNotAnswer) {
  TestCluster servers(GetParam(), {.replicas_each = 0});
  const auto options = servers.connection();
  redis::Cluster cluster(options, std::size_t{1024} * 1024, std::make_shared<redis::CredentialsSource>(options),
                         settings());
  const auto deadline = redis::Deadline::after(timeouts.total);
  ASSERT_TRUE(cluster.start(deadline).has_value());
  // Each node is the primary of the slot of one of these.
  std::map<redis::NodeHandle, std::string> key_of;
  for (int i = 0; key_of.size() < 3; ++i) {
    const auto key = "key" + std::to_string(i);
    key_of.emplace(cluster.node_of(key, deadline).value(), key);
  }
  const auto sender = cluster.node_of("key0", deadline).value();
  key_of.erase(sender);
  const auto [owner, key] = *key_of.begin();
  const auto wrong = std::next(key_of.begin())->second;

  const redis::Redirect misleading{.kind = redis::Redirect::Kind::moved,
                                   .slot = servers.slot_of(key),
                                   .to = {.host = servers.host(), .port = servers.port(servers.primary_of(wrong))}};
  servers.pause(servers.primary_of("key0"));
  EXPECT_EQ(cluster.follow(misleading, sender, deadline), owner) << "the map was not learnt";
  cluster.close();
}

OBOL_ON_BOTH_SERVERS(SlotLearning);

}}  // namespace obol::testing
