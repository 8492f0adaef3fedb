// A server whose clock is ahead of the host's by more than a session lives: it drops what it is told to store, and says
// that it has stored it.
#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "store/session_commands.hpp"
#include "support/fault_proxy.hpp"
#include "support/store_calls.hpp"
#include "support/tested_store.hpp"

namespace obol::testing { namespace {

using std::chrono::seconds;

constexpr std::chrono::minutes behind{10};

class ServerClockTest : public TestedStoreTest {
 protected:
  TestedStore store_behind(SessionPolicy policy = {}) {
    return store_of_host([] { return -behind; }, policy);
  }

  /// `ahead` says how far the host's clock is ahead of the server's at that moment.
  TestedStore store_of_host(std::function<std::chrono::minutes()> ahead, SessionPolicy policy = {}) {
    auto options = options_for(server);
    options.policy = policy;
    options.clock = [ahead = std::move(ahead)] { return std::chrono::system_clock::now() + ahead(); };
    return tested_store(options);
  }

  /// On the host's clock.
  static void let_live(Session& session, seconds lives) {
    session.created_at = now_in_seconds() - behind;
    session.refresh_expires_at = session.created_at + lives;
  }

  static Session session_of(std::string id, seconds lives) {
    auto session = new_session("user", std::move(id));
    let_live(session, lives);
    return session;
  }

  /// A new session that is past for the server alone is refused as expired, and nothing else happens to the user's.
  void expect_create_refused(SessionStore& store) {
    auto standing = session_of("standing", hours_there());
    ASSERT_TRUE(store.upsert(standing).has_value());
    auto brief = session_of("brief", seconds(300));
    const auto before = brief;
    const auto outcome = store.upsert(brief);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, ErrorCode::expired) << outcome.error().message;
    EXPECT_NE(outcome.error().message.find("server's clock"), std::string::npos) << outcome.error().message;
    EXPECT_EQ(brief, before);
    EXPECT_EQ(store.get_all("user", "full").value(), std::vector{standing});
  }

  static seconds hours_there() { return std::chrono::hours(1); }
};

TEST_P(ServerClockTest, ANewSessionThatIsPastForTheServerIsExpired) {
  auto store = store_behind();
  expect_create_refused(store);
}

TEST_P(ServerClockTest, ANewSessionUnderACapIsExpiredAndEvictsNobody) {
  auto store = store_behind({.max_sessions = 1});
  expect_create_refused(store);
}

TEST_P(ServerClockTest, ANewSessionUnderMarksIsExpired) {
  auto store = store_behind({.revocation_mark_lifetime = seconds(60)});
  expect_create_refused(store);
}

/// It may be stored, so it is not said to be expired.
TEST_P(ServerClockTest, AWriteBesideATimeThatIsNotUnderstoodIsAnErrorOfTheProtocol) {
  FaultProxy proxy(server);
  auto options = options_for(proxy.connection());
  for (const auto most : {0U, 5U}) {
    options.policy.max_sessions = most;
    auto store = tested_store(options);
    proxy.always(Fault::garbage("*2\r\n+now\r\n+soon\r\n"), "TIME");
    auto session = new_session("user", std::to_string(most));
    const auto stored = store.upsert(session);
    ASSERT_FALSE(stored.has_value());
    EXPECT_EQ(stored.error().code, ErrorCode::protocol) << stored.error().message;
    proxy.heal();
  }
}

TEST_P(ServerClockTest, AFirstWriteOfAStoreIsHeldAgainstTheClock) {
  auto store = store_behind();
  auto brief = session_of("brief", seconds(300));
  EXPECT_EQ(code_of(store.upsert(brief)), ErrorCode::expired);
}

TEST_P(ServerClockTest, AnUpdateThatIsPastForTheServerLeavesTheStoredSessionAlone) {
  auto store = store_behind();
  auto session = session_of("session", hours_there());
  ASSERT_TRUE(store.upsert(session).has_value());
  auto refreshed = session;
  let_live(refreshed, seconds(300));
  EXPECT_EQ(code_of(store.upsert(refreshed)), ErrorCode::expired);
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(ServerClockTest, ARotationThatIsPastForTheServerLeavesTheStoredSessionAlone) {
  auto store = store_behind();
  auto session = session_of("session", hours_there());
  ASSERT_TRUE(store.upsert(session).has_value());
  auto rotated = session;
  let_live(rotated, seconds(300));
  EXPECT_EQ(code_of(store.rotate_id(rotated)), ErrorCode::expired);
  EXPECT_EQ(rotated.id, "session");
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
}

TEST_P(ServerClockTest, AnExchangeThatIsPastForTheServerLeavesTheStoredSessionAlone) {
  auto store = store_on(server);
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  const std::string place = stored_key("obol_", "user", "full");
  const std::string standing(server.command({"HGET", place, "session"}).text);
  const auto past = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now() - seconds(1));
  const auto replies =
      server.commands(std::vector{exchange_command(place, "session", standing, standing + "changed", past)});
  EXPECT_EQ(exchange_result(replies.at(0)), Exchange::expired);
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(ServerClockTest, AHostAheadOfTheServerStoresAndReads) {
  auto store = store_of_host([] { return behind; });
  auto session = new_session();
  session.refresh_expires_at = now_in_seconds() + behind + seconds(300);
  ASSERT_TRUE(store.upsert(session).has_value());
  ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(store.get(session.key()).value(), session);
}

TEST_P(ServerClockTest, AHostWhoseClockJumpsReadsAndWritesByTheTimeThatItHasThen) {
  std::atomic<int> ahead = 0;
  auto store = store_of_host([&ahead] { return std::chrono::minutes(ahead); });
  auto session = new_session();
  session.refresh_expires_at = now_in_seconds() + seconds(300);
  ASSERT_TRUE(store.upsert(session).has_value());

  ahead = 10;
  EXPECT_EQ(store.get(session.key()).value(), std::nullopt);
  EXPECT_TRUE(store.get_all("user", "full")->empty());
  auto late = session;
  EXPECT_EQ(code_of(store.upsert(late)), ErrorCode::expired);

  ahead = -10;
  EXPECT_EQ(store.get(session.key()).value(), session);
  auto brief = session_of("brief", seconds(300));
  EXPECT_EQ(code_of(store.upsert(brief)), ErrorCode::expired) << "it is past for the server";

  ahead = 0;
  ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
}

OBOL_ON_STORES(ServerClockTest, all_stores_once());

}}  // namespace obol::testing
