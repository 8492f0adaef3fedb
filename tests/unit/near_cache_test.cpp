// The near cache's container: what it keeps, what it drops, and how much.
#include "near_cache.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/sessions.hpp"

namespace obol::testing {
namespace {

class NearCacheContainer : public ::testing::Test {
 protected:
  NearCacheContainer() {
    cache.come_into_use();
    cache.extend_use(NearCache::Time::time_point::max());
  }

  void keep(const Session& read, std::string_view key = "key") { cache.keep(cache.begin_read(key), key, read); }

  NearCache cache{64 * 64 * 1024};
  const Session session = new_session();
};

TEST_F(NearCacheContainer, FindsWhatItKeeps) {
  keep(session);
  EXPECT_EQ(cache.find("key", session.id), session);
  EXPECT_EQ(cache.find("key", "another"), std::nullopt);
  EXPECT_EQ(cache.find("another", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, DropsAHashThatChanges) {
  keep(session);
  keep(session, "other");
  cache.invalidate("key");
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
  EXPECT_EQ(cache.find("other", session.id), session);
}

TEST_F(NearCacheContainer, DoesNotKeepWhatChangedWhileItWasRead) {
  const auto ticket = cache.begin_read("key");
  cache.invalidate("key");
  cache.keep(ticket, "key", session);
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, DoesNotKeepWhatWasReadBeforeItListened) {
  cache.go_out_of_use();
  const auto ticket = cache.begin_read("key");
  cache.come_into_use();
  cache.keep(ticket, "key", session);
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, FindsNothingOnceItsTimeIsOver) {
  keep(session);
  cache.extend_use(NearCache::Time::now());
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, ForgetsAllWhenItGoesOutOfUse) {
  keep(session);
  cache.go_out_of_use();
  cache.come_into_use();
  cache.extend_use(NearCache::Time::time_point::max());
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, HoldsNoMoreBytesThanItMay) {
  auto large = session;
  large.extra_payload = std::string(1000, 'x');
  for (int i = 0; i < 20'000; ++i) keep(large, std::to_string(i));
  const auto statistics = cache.statistics();
  EXPECT_LE(statistics.bytes, 64U * 64 * 1024);
  EXPECT_GT(statistics.sessions, 1000U);
  EXPECT_EQ(statistics.sessions + statistics.evictions, 20'000U);
}

TEST_F(NearCacheContainer, DropsTheLeastUsedFirst) {
  keep(session, "used");
  for (int i = 0; i < 20'000; ++i) {
    keep(session, std::to_string(i));
    ASSERT_EQ(cache.find("used", session.id), session);
  }
  EXPECT_EQ(cache.find("0", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, DoesNotKeepASessionThatIsTooLarge) {
  auto huge = session;
  huge.extra_payload = std::string(64 * 1024, 'x');
  keep(huge);
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
  EXPECT_EQ(cache.statistics().sessions, 0U);
}

TEST_F(NearCacheContainer, CountsHitsAndMisses) {
  keep(session);
  cache.find("key", session.id);
  cache.find("key", "another");
  cache.find("another", session.id);
  EXPECT_EQ(cache.statistics().hits, 1U);
  EXPECT_EQ(cache.statistics().misses, 2U);
}

TEST_F(NearCacheContainer, CountsEachInvalidationOnce) {
  const auto before = cache.statistics().invalidations;
  cache.invalidate("key");
  cache.clear();
  EXPECT_EQ(cache.statistics().invalidations, before + 1);
}

}  // namespace
}  // namespace obol::testing
