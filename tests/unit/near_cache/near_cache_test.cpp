// The near cache's container: what it keeps, what it drops, and how much.
#include "near_cache/near_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sealing/cleansing.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

class NearCacheContainer : public ::testing::Test {
 protected:
  NearCacheContainer() {
    cache.come_into_use(server);
    cache.extend_use(NearCache::Time::time_point::max());
  }

  void keep(const Session& read, std::string_view key = "key") { cache.keep(cache.begin_read(key), server, key, read); }

  NearCache cache{64 * 64 * 1024};
  static constexpr redis::ServerIdentity server{1};
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
  cache.keep(ticket, server, "key", session);
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, DoesNotKeepWhatWasReadBeforeItListened) {
  cache.go_out_of_use();
  const auto ticket = cache.begin_read("key");
  cache.come_into_use(server);
  cache.keep(ticket, server, "key", session);
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
  cache.come_into_use(server);
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

TEST_F(NearCacheContainer, KeepsNothingThatAnotherServerSaid) {
  for (const auto other : {redis::ServerIdentity(2), redis::ServerIdentity()}) {
    cache.keep(cache.begin_read("key"), other, "key", session);
    EXPECT_EQ(cache.find("key", session.id), std::nullopt);
  }
}

TEST_F(NearCacheContainer, DropsWhatAnotherServerContradicts) {
  keep(session);
  auto newer = session;
  ++newer.lock_version;
  cache.keep(cache.begin_read("key"), redis::ServerIdentity(2), "key", newer);
  EXPECT_EQ(cache.find("key", session.id), std::nullopt);
}

TEST_F(NearCacheContainer, DoesNotKeepWhatWasReadBeforeItListenedToAnotherServer) {
  const auto ticket = cache.begin_read("key");
  cache.go_out_of_use();
  cache.come_into_use(redis::ServerIdentity(2));
  cache.keep(ticket, redis::ServerIdentity(2), "key", session);
  EXPECT_EQ(cache.statistics().sessions, 0U);
}

// Readers go on while it goes out of use and comes back, and take a while to keep what they have read.
TEST_F(NearCacheContainer, ForgetsWhatReadersKeepAsItGoesOutOfUse) {
  std::atomic<std::uint64_t> time{1};
  std::atomic<bool> stop{false};
  std::vector<std::jthread> readers;
  const std::shared_ptr<void> at_the_end(nullptr, [&](void*) { stop = true; });
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, key = "key" + std::to_string(i)] {
      while (!stop) {
        const auto ticket = cache.begin_read(key);
        auto read = session;
        read.lock_version = time;
        cache.keep(ticket, server, key, read);
      }
    });
  }
  for (int round = 0; round < 1000; ++round) {
    cache.go_out_of_use();
    ++time;
    cache.come_into_use(server);
    cache.extend_use(NearCache::Time::time_point::max());
    for (int i = 0; i < 3; ++i) {
      const auto found = cache.find("key" + std::to_string(i), session.id);
      ASSERT_TRUE(!found || found->lock_version == time);
    }
  }
}

TEST_F(NearCacheContainer, GivesEverySessionAwayThatItDrops) {
  static std::size_t dropped;
  dropped = 0;
  const auto count = [](Session&) noexcept { ++dropped; };
  const auto keep_three = [](NearCache& where) {
    where.come_into_use(server);
    for (const std::string id : {"1", "2", "3"}) {
      where.keep(where.begin_read("key"), server, "key", new_session("user", id));
    }
  };
  {
    NearCache large(64 * 64 * 1024, count);
    keep_three(large);
    EXPECT_EQ(dropped, 0U);
    large.invalidate("key");
    EXPECT_EQ(dropped, 3U);
    keep_three(large);
    large.go_out_of_use();
    EXPECT_EQ(dropped, 6U);
    keep_three(large);
  }
  EXPECT_EQ(dropped, 9U);
  NearCache small(64 * 1024, count);
  keep_three(small);
  EXPECT_GT(small.statistics().evictions, 0U);
  EXPECT_EQ(dropped, 9 + small.statistics().evictions);
}

TEST(Cleansing, OverwritesTheSecretsOfASession) {
  for (const auto& payload : {std::string("short"), std::string(1000, 'x')}) {
    auto session = new_session();
    session.extra_payload = payload;
    const auto id = session.refresh_token_id;
    cleanse(session);
    EXPECT_EQ(session.extra_payload, std::string(payload.size(), '\0'));
    EXPECT_EQ(session.refresh_token_id, std::string(id.size(), '\0'));
  }
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

}}  // namespace obol::testing
