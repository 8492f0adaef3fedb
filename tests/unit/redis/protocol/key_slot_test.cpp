// Slots: hashed as the servers do, and kept together where two keys belong together.
#include "redis/protocol/key_slot.hpp"

#include <gtest/gtest.h>

#include "store/session_commands.hpp"

namespace obol::redis { namespace {

// Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (appendix A)
TEST(KeySlot, UsesTheCrcOfTheSpecification) {
  EXPECT_EQ(crc16("123456789"), 0x31C3);
  EXPECT_EQ(crc16("6789", crc16("12345")), 0x31C3);
  EXPECT_EQ(key_slot("123456789"), 0x31C3 % 16384);
}

TEST(KeySlot, HashesTheFirstTagThatIsNotEmpty) {
  EXPECT_EQ(hash_tag("{user1000}.following"), "user1000");
  EXPECT_EQ(hash_tag("foo{}{bar}"), "foo{}{bar}");
  EXPECT_EQ(hash_tag("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(hash_tag("foo{bar}{zap}"), "bar");
  EXPECT_EQ(hash_tag("foo}bar"), "foo}bar");
  EXPECT_EQ(hash_tag("foo{bar"), "foo{bar");
  EXPECT_EQ(hash_tag(""), "");
}

TEST(CompanionKey, OfAnOrdinaryUserIsTheKeyWithTheSuffix) {
  for (const auto* user : {"426", "a}b", "{", "{}", "a{b}c", ":", "\xff"}) {
    const auto key = stored_key("obol_", user, "full");
    EXPECT_EQ(companion_key(key, "/revoked"), key + "/revoked") << user;
    EXPECT_EQ(key_slot(key + "/revoked"), key_slot(key)) << user;
  }
}

TEST(CompanionKey, OfAUserWhoseIdEndsTheTagIsInTheSameSlotAllTheSame) {
  for (const auto* user : {"}", "}x", "}}", "}{a}", "} "}) {
    const auto key = stored_key("obol_", user, "full");
    ASSERT_EQ(hash_tag(key), key);
    for (const auto* suffix : {"/revoked", "/barrier"}) {
      const auto companion = companion_key(key, suffix);
      EXPECT_EQ(key_slot(companion), key_slot(key)) << user;
      EXPECT_TRUE(companion.starts_with(key + suffix));
      EXPECT_EQ(companion, companion_key(key, suffix));
    }
  }
}

}}  // namespace obol::redis
