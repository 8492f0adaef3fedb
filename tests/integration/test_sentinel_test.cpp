// What the other tests rely on: that a TestSentinel's sentinels watch, and that it does to its servers what it says.
#include "support/test_sentinel.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace obol::testing { namespace {

class TestSentinelFixture : public ::testing::TestWithParam<ServerKind> {
 protected:
  static constexpr std::chrono::milliseconds soon{1000};

  static std::string role(const TestSentinel& sentinel, TestSentinel::Node node) {
    return std::string(sentinel.command(node, {"ROLE"}).elements.at(0).text);
  }
};

TEST_P(TestSentinelFixture, HasAPrimaryThatTwoReplicasFollow) {
  const TestSentinel sentinel(GetParam());
  EXPECT_EQ(sentinel.primary(), 0U);
  EXPECT_EQ(role(sentinel, 0), "master");
  for (const TestSentinel::Node node : {1UL, 2UL}) EXPECT_EQ(role(sentinel, node), "slave");
}

TEST_P(TestSentinelFixture, PutsAReplicaInAKilledPrimarysPlace) {
  TestSentinel sentinel(GetParam(), {.down_after = soon});
  sentinel.kill(0);
  const auto next = sentinel.await_primary_other_than(0);
  EXPECT_EQ(role(sentinel, next), "master");
  sentinel.restart(0);
  sentinel.await_whole();
  EXPECT_EQ(role(sentinel, 0), "slave");
}

TEST_P(TestSentinelFixture, PutsAReplicaInAHungPrimarysPlace) {
  TestSentinel sentinel(GetParam(), {.down_after = soon});
  sentinel.pause(0);
  sentinel.await_primary_other_than(0);
  sentinel.resume(0);
  sentinel.await_whole();
  EXPECT_EQ(role(sentinel, 0), "slave");
}

TEST_P(TestSentinelFixture, FailsOverByHandAgainAndAgain) {
  TestSentinel sentinel(GetParam());
  const auto next = sentinel.fail_over();
  EXPECT_NE(next, 0U);
  sentinel.await_whole();
  EXPECT_NE(sentinel.fail_over(), next);
}

TEST_P(TestSentinelFixture, FailsOverWithoutOneOfThreeSentinels) {
  TestSentinel sentinel(GetParam(), {.down_after = soon});
  sentinel.kill_sentinel(0);
  sentinel.kill(0);
  sentinel.await_primary_other_than(0);
  sentinel.restart_sentinel(0);
  sentinel.restart(0);
  sentinel.await_whole();
}

TEST_P(TestSentinelFixture, KeepsWhatItPersistsOverARestartOfAll) {
  TestSentinel sentinel(GetParam(), {.arguments = {"--appendonly", "yes"}});
  sentinel.command(sentinel.fail_over(), {"SET", "key", "before"});
  sentinel.await_whole();
  sentinel.restart_all();
  sentinel.await_whole();
  EXPECT_EQ(sentinel.command(sentinel.primary(), {"GET", "key"}).text, "before");
}

TEST_P(TestSentinelFixture, AsksForPasswordsWhereToldSo) {
  TestSentinel sentinel(GetParam(), {.sentinel_user = "obol", .sentinel_password = "secret", .password = "password"});
  EXPECT_EQ(sentinel.ask(0, {"ACL", "WHOAMI"}).text, "obol");
  const auto stranger = sentinel.ask(0, {"ACL", "GETUSER", "default"});
  ASSERT_NE(stranger.find("flags"), nullptr);
  const auto& flags = stranger.find("flags")->elements;
  EXPECT_TRUE(std::ranges::any_of(flags, [](const auto& flag) { return flag.text == "off"; }));
  sentinel.fail_over();
  sentinel.await_whole();
}

INSTANTIATE_TEST_SUITE_P(On, TestSentinelFixture, ::testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& parameter) { return name_of(parameter.param); });

}}  // namespace obol::testing
