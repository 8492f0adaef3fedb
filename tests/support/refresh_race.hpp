// Many threads refresh one token at once, over any store.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "obol/session_manager.hpp"
#include "support/recording_observer.hpp"
#include "support/sessions.hpp"

namespace obol::testing {

inline constexpr std::size_t threads_in_race = 64;

/// A clock. Time stands still in a race, so that the race lasts no longer than the overlap on any machine.
struct Hand {
  std::shared_ptr<std::atomic<std::int64_t>> time =
      std::make_shared<std::atomic<std::int64_t>>(now_in_seconds().time_since_epoch().count());

  Clock clock() const {
    return [time = time] { return std::chrono::system_clock::time_point(std::chrono::seconds(time->load())); };
  }
  void pass(std::chrono::seconds duration) const { time->fetch_add(duration.count()); }
};

inline std::vector<LoggedIn> refresh_at_once(SessionManager& manager, const std::string& token) {
  std::vector<Result<std::optional<LoggedIn>>> outcomes(threads_in_race);
  std::latch start(threads_in_race);
  {
    std::vector<std::jthread> threads;
    for (auto& outcome : outcomes) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        outcome = manager.refresh(token);
      });
    }
  }
  std::vector<LoggedIn> logged_in;
  for (auto& outcome : outcomes) {
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message;
    if (!outcome) continue;
    EXPECT_TRUE(outcome->has_value());
    if (*outcome) logged_in.push_back(std::move(**outcome));
  }
  return logged_in;
}

inline void expect_one_winner(const std::shared_ptr<SessionStore>& store) {
  const Hand hand;
  const auto observer = std::make_shared<RecordingObserver>();
  auto manager =
      SessionManager::create(store, {.keyring = Keyring(signing_key()), .observer = observer, .clock = hand.clock()})
          .value();
  const auto login = manager.log_in("user", "", std::chrono::floor<std::chrono::seconds>(hand.clock()())).value();
  hand.pass(std::chrono::minutes(2));
  auto token = login.tokens.refresh;
  for (std::uint64_t version = 2; version < 5; ++version) {
    const auto logins = refresh_at_once(manager, token);
    ASSERT_EQ(logins.size(), threads_in_race);
    std::set<std::string> tokens;
    for (const auto& each : logins) {
      EXPECT_EQ(each.session, logins.front().session) << "all of one generation";
      tokens.insert(each.tokens.refresh);
    }
    EXPECT_EQ(logins.front().session.lock_version, version) << "one write wins";
    EXPECT_EQ(tokens.size(), threads_in_race);
    hand.pass(std::chrono::minutes(2));
    token = logins.back().tokens.refresh;
  }
  EXPECT_EQ(observer->count("token_reused"), 0U);

  // A stolen token, after its owner's.
  EXPECT_FALSE(manager.refresh(login.tokens.refresh).value());
  EXPECT_FALSE(manager.refresh(token).value());
  EXPECT_EQ(observer->count("token_reused"), 1U);
  EXPECT_TRUE(manager.list("user")->empty());
}

}  // namespace obol::testing
