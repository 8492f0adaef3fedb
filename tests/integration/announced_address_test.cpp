// Servers that announce addresses which cannot be reached from here: mapped ones are, and errors say who announced
// what.
#include <memory>
#include <string>
#include <vector>

#include "support/await.hpp"
#include "support/reserved_port.hpp"
#include "support/server_test.hpp"
#include "support/store_calls.hpp"
#include "support/test_cluster.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing { namespace {

class AnnouncedAddress : public ::testing::TestWithParam<ServerKind> {
 protected:
  /// One node with all slots.
  std::unique_ptr<TestServer> start_node(std::vector<std::string> more) const {
    std::vector<std::string> arguments{
        "--port",         std::to_string(port.number()),    "--bind", "127.0.0.1", "--cluster-enabled", "yes",
        "--cluster-port", std::to_string(bus_port.number())};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto node = std::make_unique<TestServer>(GetParam(), arguments);
    EXPECT_FALSE(node->command({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}).is_error());
    await("the cluster to be whole",
          [&] { return std::string(node->command({"CLUSTER", "INFO"}).text).contains("cluster_state:ok"); });
    return node;
  }

  ConnectionOptions cluster_seed() const {
    return {.cluster = {.seeds = {{.host = "127.0.0.1", .port = port.number()}}}};
  }

  ReservedPort port;
  ReservedPort bus_port;
};

TEST_P(AnnouncedAddress, OfAClusterThatCannotBeReachedIsNamedWithWhoAnnouncedItAndWhatToDo) {
  const auto node = start_node({"--cluster-announce-ip", "127.0.0.77", "--cluster-announce-port", "7001"});
  auto options = options_for(cluster_seed());
  auto store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::unavailable);
  EXPECT_NE(store.error().message.find("the cluster announced 127.0.0.77:7001: if it cannot be reached from here, map "
                                       "it with connection.address_map, or set cluster-announce-ip"),
            std::string::npos)
      << store.error().message;

  options.connection.address_map = {
      {.announced = {.host = "127.0.0.77", .port = 7001}, .reachable = {.host = "127.0.0.1", .port = port.number()}}};
  store = RedisStore::connect(options);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_FALSE(live_a_session(*store));

  options.connection.address_map[0].reachable = {.host = "127.0.0.78", .port = 7002};
  store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find("127.0.0.77:7001, which connection.address_map maps to 127.0.0.78:7002"),
            std::string::npos)
      << store.error().message;
}

TEST_P(AnnouncedAddress, ThatANodeLeavesOutIsTheOneThatWasAsked) {
  const auto node =
      start_node({"--cluster-preferred-endpoint-type", "unknown-endpoint", "--cluster-announce-ip", "127.0.0.77"});
  auto store = RedisStore::connect(options_for(cluster_seed()));
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_FALSE(live_a_session(*store));
}

TEST_P(AnnouncedAddress, InARedirectionIsMapped) {
  TestCluster cluster(GetParam(), {.primaries = 3,
                                   .replicas_each = 0,
                                   .arguments = {"--cluster-announce-hostname", "obol-node.invalid",
                                                 "--cluster-preferred-endpoint-type", "hostname"}});
  auto options = options_for(cluster.connection());
  options.connection.address_map = {
      {.announced = {.host = "obol-node.invalid", .port = 0}, .reachable = {.host = "127.0.0.1", .port = 0}}};
  auto store = RedisStore::connect(options).value();
  auto session = new_session("user", "session");
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto slot = cluster.slot_of("obol_{user}:full");
  const auto from = cluster.primary_of(slot);
  const auto to = cluster.primaries().front() == from ? cluster.primaries().back() : cluster.primaries().front();
  cluster.begin_move(slot, to);
  // The slot has no such key at its old primary: ASK.
  EXPECT_EQ(store.get(new_session("user", "absent").key()).value(), std::nullopt);
  cluster.move_keys(slot, to);
  EXPECT_EQ(store.get(session.key()).value(), session);
  cluster.finish_move(slot, to);  // MOVED.
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_TRUE(store.upsert(session).has_value());
}

TEST_P(AnnouncedAddress, OfASentinelsPrimaryIsMapped) {
  const TestSentinel sentinel(GetParam(), {.replicas = 0, .sentinels = 1});
  ASSERT_FALSE(sentinel.ask(0, {"SENTINEL", "MONITOR", "forwarded", "127.0.0.77", "7001", "1"}).is_error());
  auto options = options_for(sentinel.connection());
  options.connection.sentinel.primary_name = "forwarded";
  auto store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find("the sentinels announced 127.0.0.77:7001"), std::string::npos)
      << store.error().message;
  options.connection.address_map = {
      {.announced = {.host = "*", .port = 7001}, .reachable = {.host = "127.0.0.1", .port = sentinel.port(0)}}};
  store = RedisStore::connect(options);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_FALSE(live_a_session(*store));
}

OBOL_ON_BOTH_SERVERS(AnnouncedAddress);

}}  // namespace obol::testing
