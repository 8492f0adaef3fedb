// What a cluster knows without asking, and when it asks.
#include "redis/topology/cluster.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>

#include "redis/protocol/key_slot.hpp"
#include "redis/topology/single_primary.hpp"
#include "support/descriptor.hpp"
#include "support/listener.hpp"
#include "unit/redis/topology/topology_fixture.hpp"

namespace obol::redis { namespace {

using std::chrono::hours;

constexpr std::string_view key = "key";

Redirect redirect_to(Redirect::Kind kind, std::uint16_t port) {
  return {.kind = kind, .slot = key_slot(key), .to = {.host = "127.0.0.1", .port = port}};
}

constexpr auto moved = Redirect::Kind::moved;
constexpr auto ask = Redirect::Kind::ask;

std::string name_of(const NodeHandle& node) { return node ? node->source().endpoint() : "none"; }

/// Its one seed takes connections in and says nothing: whoever asks it waits.
class ClusterTest : public ::testing::Test {
 protected:
  ~ClusterTest() override { cluster.close(); }

  static Deadline far() { return Deadline::after(hours(1)); }

  testing::Listener seed;
  testing::NodeOwner owner;
  const ConnectionOptions options{.cluster = {.seeds = {{.host = "127.0.0.1", .port = seed.port()}}}};
  Cluster cluster{options, 1024, std::make_shared<CredentialsSource>(options), owner.settings()};
};

TEST_F(ClusterTest, KnowsWhoServesASlotFromARedirectionAlone) {
  EXPECT_EQ(cluster.known_node_of(key), nullptr);
  const auto first = cluster.join(redirect_to(moved, 1), nullptr);
  EXPECT_EQ(name_of(first), "127.0.0.1:1");
  EXPECT_EQ(cluster.known_node_of(key), first);
  EXPECT_EQ(cluster.node_of(key, far()).value(), first);
  EXPECT_EQ(name_of(cluster.join(redirect_to(moved, 2), first)), "127.0.0.1:2");
  EXPECT_EQ(name_of(cluster.known_node_of(key)), "127.0.0.1:2");
  EXPECT_EQ(cluster.join(redirect_to(moved, 1), nullptr), first) << "it has joined before";
}

TEST_F(ClusterTest, LeavesTheSlotWhereItIsIfOneCallIsSentAway) {
  const auto served = cluster.join(redirect_to(moved, 1), nullptr);
  EXPECT_EQ(name_of(cluster.join(redirect_to(ask, 2), served)), "127.0.0.1:2");
  EXPECT_EQ(cluster.known_node_of(key), served);
  cluster.learn_after(redirect_to(ask, 2), served, far());
  EXPECT_TRUE(cluster.can_learn()) << "nothing was learnt";
}

TEST_F(ClusterTest, JoinsNobodyWhoCannotBeNamed) {
  auto nameless = redirect_to(moved, 1);
  nameless.to.host = "?";
  EXPECT_EQ(cluster.join(nameless, nullptr), nullptr);
  nameless.to.host.clear();
  EXPECT_EQ(cluster.join(nameless, nullptr), nullptr) << "the sender is not known";
  const auto sender = cluster.join(redirect_to(moved, 1), nullptr);
  nameless.to.port = 2;
  EXPECT_EQ(name_of(cluster.join(nameless, sender)), "127.0.0.1:2") << "at the sender's host";
}

TEST_F(ClusterTest, KnowsAndLearnsNothingOnceItIsClosed) {
  const auto served = cluster.join(redirect_to(moved, 1), nullptr);
  EXPECT_TRUE(cluster.can_learn());
  cluster.close();
  EXPECT_EQ(cluster.known_node_of(key), nullptr);
  EXPECT_EQ(cluster.join(redirect_to(moved, 2), served), nullptr);
  EXPECT_FALSE(cluster.can_learn());
}

// The call goes on at the node that it was sent to, while another thread learns.
TEST_F(ClusterTest, StillKnowsAndJoinsWhileTheMapIsBeingLearnt) {
  const std::jthread learning([this] { cluster.learn_after(redirect_to(moved, seed.port()), nullptr, far()); });
  {
    const testing::Descriptor asked(::accept4(seed.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(asked.is_open());
    EXPECT_FALSE(cluster.can_learn());
    const auto joined = cluster.join(redirect_to(moved, 1), nullptr);
    EXPECT_EQ(name_of(joined), "127.0.0.1:1");
    EXPECT_EQ(cluster.known_node_of(key), joined);
    cluster.learn_after(redirect_to(moved, 1), joined, far());  // Somebody does so already.
  }
}

TEST(SinglePrimary, IsAlwaysKnownAndHasNothingToLearn) {
  testing::NodeOwner owner;
  const ConnectionOptions options{.host = "127.0.0.1", .port = 1};
  SinglePrimary primary(owner.settings(), std::make_shared<Dialer>(options, 1024));
  EXPECT_EQ(name_of(primary.known_node_of(key)), "127.0.0.1:1");
  EXPECT_EQ(primary.join(redirect_to(moved, 2), primary.known_node_of(key)), nullptr);
  EXPECT_FALSE(primary.can_learn());
}

}}  // namespace obol::redis
