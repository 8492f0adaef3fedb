// One user with tens of thousands of sessions: no write does work that grows with their number, and all can be read as
// far as the limit on replies allows.
#include <fmt/format.h>

#include <algorithm>

#include "redis/protocol/info.hpp"
#include "store/session_commands.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

constexpr std::size_t crowd_sizes[] = {10'000, 50'000};
constexpr std::size_t cap = 20;
constexpr std::string_view place = "obol_{user}:full";

/// In the order in which they expire.
std::string id_of(std::size_t number) { return fmt::format("s{:06}", number); }

class CrowdTest : public ServerTest {
 protected:
  /// Sessions that expire one millisecond after the other.
  void crowd_in(std::size_t count, std::string_view sealed = "sealed") {
    first_end = std::chrono::floor<milliseconds>(std::chrono::system_clock::now()) + std::chrono::hours(1);
    std::vector<redis::Command> commands;
    for (std::size_t i = 0; i < count; ++i) {
      commands.push_back({"HSETEX", place, "PXAT", fmt::format("{}", end_of(i)), "FIELDS", "1", id_of(i), sealed});
      if (commands.size() < 1000 && i + 1 < count) continue;
      server.commands(commands);
      commands.clear();
    }
  }

  std::int64_t end_of(std::size_t number) const {
    return (first_end.time_since_epoch() + milliseconds(number)).count();
  }

  RedisStore store_with(SessionPolicy policy) {
    auto options = options_for(server, observer);
    options.policy = policy;
    return RedisStore::connect(options).value();
  }

  std::vector<std::string> ids() {
    std::vector<std::string> found;
    for (const auto& id : server.command({"HKEYS", place}).elements) found.emplace_back(id.text);
    std::ranges::sort(found);
    return found;
  }

  /// How often the server has run a command since CONFIG RESETSTAT, those in functions included.
  std::size_t runs_of(std::string_view command) {
    const auto reply = server.command({"INFO", "commandstats"});
    const auto line = redis::info_field(reply.text, fmt::format("cmdstat_{}", command)).value_or("calls=0,");
    return std::stoul(std::string(line.substr(line.find('=') + 1)));
  }

  const std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  std::chrono::sys_time<milliseconds> first_end;
};

TEST_P(CrowdTest, ACapThatIsIntroducedLateHoldsFromTheFirstLoginOn) {
  for (const auto size : crowd_sizes) {
    server.command({"FLUSHALL"});
    crowd_in(size);
    auto store = store_with({.max_sessions = cap});
    const auto told_before = observer->count("evicted");
    server.command({"CONFIG", "RESETSTAT"});
    auto session = new_session("user", "new");
    session.refresh_expires_at += std::chrono::hours(1);
    auto stored = store.upsert(session);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;

    std::vector<std::string> expected{"new"};
    for (auto i = size - cap + 1; i < size; ++i) expected.push_back(id_of(i));
    EXPECT_EQ(ids(), expected) << "those stay that expire last";
    std::ranges::sort(stored->evicted);
    ASSERT_EQ(stored->evicted.size(), size - cap + 1);
    for (std::size_t i = 0; i < stored->evicted.size(); ++i) ASSERT_EQ(stored->evicted[i], id_of(i));
    EXPECT_EQ(observer->count("evicted") - told_before, size - cap + 1);
    EXPECT_GT(runs_of("fcall"), size / 1000) << "so no call evicted more than a thousand";

    auto another = new_session("user", "newer");
    EXPECT_EQ(store.upsert(another)->evicted, std::vector{id_of(size - cap + 1)});
  }
}

TEST_P(CrowdTest, AFullUserIsRefusedHoweverCrowded) {
  crowd_in(10'000);
  auto store = store_with({.max_sessions = cap, .when_full = WhenFull::refuse});
  server.command({"CONFIG", "RESETSTAT"});
  auto session = new_session("user", "new");
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::too_many_sessions);
  EXPECT_LE(runs_of("fcall"), 2U) << "some were counted, and that was enough";
  EXPECT_EQ(runs_of("hkeys"), 0U) << "the work would grow with their number";
  EXPECT_EQ(ids().size(), 10'000U);
}

TEST_P(CrowdTest, DeleteOthersLeavesTheOneAsItWas) {
  for (const auto size : crowd_sizes) {
    server.command({"FLUSHALL"});
    crowd_in(size);
    auto store = store_with({});
    auto session = new_session("user", "kept");
    ASSERT_TRUE(store.upsert(session).has_value());
    const auto expiry = [&] {
      return server.command({"HPEXPIRETIME", place, "FIELDS", "1", "kept"}).elements.at(0).integer;
    };
    const auto before = expiry();
    server.command({"CONFIG", "RESETSTAT"});
    ASSERT_TRUE(store.delete_others(session.key()).has_value());
    EXPECT_EQ(ids(), std::vector<std::string>{"kept"});
    EXPECT_EQ(expiry(), before);
    EXPECT_EQ(store.get(session.key()).value(), session);
    EXPECT_EQ(runs_of("hdel"), 0U) << "the work would grow with their number";
  }
}

TEST_P(CrowdTest, DeleteOthersOfAMissingSessionDeletesAll) {
  crowd_in(10);
  auto store = store_with({});
  ASSERT_TRUE(store.delete_others({.user_id = "user", .id = "missing"}).has_value());
  EXPECT_TRUE(ids().empty());
}

TEST_P(CrowdTest, ASessionThatWasRefreshedMeanwhileIsNotEvicted) {
  crowd_in(3);
  auto store = store_with({});
  const std::vector<ExpiringId> doomed{{.expires_at = end_of(0), .id = id_of(0)},
                                       {.expires_at = end_of(1) - 1, .id = id_of(1)}};
  const auto replies = server.commands(std::vector{thin_out_command(place, "", doomed)});
  const auto result = thin_out_result(replies.at(0)).value();
  EXPECT_EQ(result.evicted, std::vector{id_of(0)});
  EXPECT_EQ(ids(), (std::vector{id_of(1), id_of(2)}));
}

TEST_P(CrowdTest, GetAllGivesTenThousandSessionsUnderTheDefaultLimit) {
  constexpr std::size_t size = 10'000;
  auto store = store_with({});
  for (std::size_t i = 0; i < size; ++i) {
    auto session = new_session("user", id_of(i));
    session.extra_payload.assign(2000, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(store.upsert(session).has_value());
  }
  const auto all = store.get_all("user", "full");
  ASSERT_TRUE(all.has_value()) << all.error().message;
  std::vector<std::string> found;
  for (const auto& session : *all) {
    found.push_back(session.id);
    ASSERT_EQ(session.extra_payload.size(), 2000U);
  }
  std::ranges::sort(found);
  ASSERT_EQ(found.size(), size);
  EXPECT_EQ(found, ids());
}

TEST_P(CrowdTest, GetAllBeyondTheDefaultLimitSaysWhatToDoAndNothingElseFails) {
  const auto limit = RedisStoreOptions{}.max_reply_bytes;
  auto store = store_with({});
  auto session = new_session("user", "one");
  ASSERT_TRUE(store.upsert(session).has_value());
  crowd_in(10'000, std::string(limit / 10'000, 'x'));
  const auto all = store.get_all("user", "full");
  ASSERT_FALSE(all.has_value());
  EXPECT_EQ(all.error().code, ErrorCode::too_large);
  EXPECT_NE(all.error().message.find(fmt::format("more than {} bytes", limit)), std::string::npos)
      << all.error().message;
  EXPECT_NE(all.error().message.find("raise max_reply_bytes, or store fewer or smaller sessions"), std::string::npos)
      << all.error().message;
  EXPECT_EQ(store.get(session.key()).value(), session);
  ASSERT_TRUE(store.delete_others(session.key()).has_value());
  EXPECT_EQ(store.get_all("user", "full").value(), std::vector{session});
}

/// Servers may count expired fields until they get around to removing them.
TEST_P(CrowdTest, ACrowdOfExpiredSessionsIsNone) {
  const TestServer lazy(GetParam(), {"--enable-debug-command", "yes"});
  lazy.command({"DEBUG", "SET-ACTIVE-EXPIRE", "0"});
  std::vector<redis::Command> commands;
  for (int i = 0; i < 1000; ++i) {
    commands.push_back({"HSETEX", place, "PX", "1", "FIELDS", "1", fmt::format("expired {}", i), "sealed"});
  }
  lazy.commands(commands);
  await("the last to expire",
        [&] { return lazy.command({"HGET", place, "expired 999"}).kind == redis::Reply::Kind::nil; });
  auto options = options_for(lazy);
  options.policy = {.max_sessions = 2, .when_full = WhenFull::refuse};
  auto store = RedisStore::connect(options).value();
  for (const auto* id : {"a", "b"}) {
    auto session = new_session("user", id);
    const auto stored = store.upsert(session);
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
  }
  auto session = new_session("user", "c");
  EXPECT_EQ(store.upsert(session).error().code, ErrorCode::too_many_sessions);
}

OBOL_ON_BOTH_SERVERS(CrowdTest);

}}  // namespace obol::testing
