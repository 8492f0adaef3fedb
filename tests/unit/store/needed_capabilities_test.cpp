// Which commands a store needs, by its options, and that asking for them is harmless.
#include "store/needed_capabilities.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "store/session_commands.hpp"

namespace obol { namespace {

using Names = std::vector<std::string>;

Names names_of(const RedisStoreOptions& options) {
  Names names;
  for (const auto& capability : needed_capabilities(options, "key")) names.push_back(capability.command.name());
  return names;
}

const Names of_every_store{"HSETEX", "HGET", "HPEXPIRETIME", "HGETALL", "HKEYS", "HLEN", "HDEL", "UNLINK", "TIME"};

TEST(NeededCapabilities, AreThoseOfEveryStoreAndOfTheOptionsThatAreSet) {
  EXPECT_EQ(names_of({}), of_every_store);
  struct Case {
    RedisStoreOptions options;
    std::string needed;
  };
  std::vector<Case> cases{{{}, "HSCAN"}, {{}, "GET"}, {{}, "WAIT"}, {{}, "INFO"}};
  cases[0].options.policy.max_sessions = 1;
  cases[1].options.policy.revocation_mark_lifetime = std::chrono::seconds(1);
  cases[2].options.delete_durability.replicas = 1;
  cases[3].options.replica_reads.enabled = true;
  for (const auto& [options, needed] : cases) {
    auto expected = of_every_store;
    expected.push_back(needed);
    EXPECT_EQ(names_of(options), expected);
  }
}

// The expiry has passed, and what a server keeps in spite of that is deleted.
TEST(NeededCapabilities, AskForAFieldThatExpiresAtOnceAndDeleteItBehindThat) {
  const auto needed = needed_capabilities({}, "key");
  const redis::Command in_the_past{"HSETEX", "key", "FNX", "PXAT", "1", "FIELDS", "1", "probe", ""};
  EXPECT_EQ(needed.front().command.bytes(), in_the_past.bytes());
  EXPECT_TRUE(std::ranges::any_of(needed, [](const auto& capability) {
    return capability.command.bytes() == delete_one_command("key", "probe").bytes();
  }));
}

}}  // namespace obol
