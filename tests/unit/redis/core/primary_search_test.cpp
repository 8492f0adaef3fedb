// Sentinels as events: what each answers, who is asked next, who first the next time, and what is reported.
#include "redis/core/primary_search.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "redis/protocol/primary_address.hpp"
#include "support/replies.hpp"

namespace obol::redis { namespace {

constexpr std::string_view names_primary = "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n";
constexpr std::string_view knows_none = "_\r\n";
constexpr std::string_view refused = "(connection refused)";
constexpr std::string_view silent = "(no answer)";

/// What a sentinel's reply, or the lack of one, says.
Result<std::optional<ServerAddress>> answer(std::string_view event) {
  if (event == refused) return std::unexpected(Error{ErrorCode::unavailable, "connection refused"});
  if (event == silent) return std::unexpected(Error{ErrorCode::timeout, "no answer in time"});
  return primary_answer(testing::parsed(event));
}

struct Asked {
  std::vector<std::size_t> sentinels{};
  std::vector<std::size_t> parts{};
};

/// Asks as a dialer does; `events`: what each sentinel answers.
Asked ask_all(PrimarySearch& search, const std::vector<std::string_view>& events) {
  Asked asked;
  while (const auto turn = search.next()) {
    asked.sentinels.push_back(turn->sentinel);
    asked.parts.push_back(turn->parts);
    search.take(answer(events[turn->sentinel]));
  }
  return asked;
}

struct FoundCase {
  const char* name;
  std::vector<std::string_view> events;
  std::size_t first;
  std::vector<std::size_t> asked;
  std::vector<std::size_t> parts;
  std::size_t first_if_reached;
  std::size_t first_if_not;
};

class PrimarySearchThatFinds : public ::testing::TestWithParam<FoundCase> {};

TEST_P(PrimarySearchThatFinds, StopsThereAndRemembersWhoAnswered) {
  const auto& row = GetParam();
  PrimarySearch search(row.events.size(), row.first);
  const auto asked = ask_all(search, row.events);
  EXPECT_EQ(asked.sentinels, row.asked);
  EXPECT_EQ(asked.parts, row.parts);
  EXPECT_EQ(search.primary(), (ServerAddress{.host = "10.0.0.1", .port = 6379}));
  EXPECT_EQ(search.next_first(true).value_or(row.first), row.first_if_reached);
  EXPECT_EQ(search.next_first(false).value_or(row.first), row.first_if_not);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PrimarySearchThatFinds,
    ::testing::Values(FoundCase{"AtOnce", {names_primary, names_primary, names_primary}, 0, {0}, {4}, 0, 1},
                      FoundCase{"BehindADeadOne", {refused, names_primary, names_primary}, 0, {0, 1}, {4, 3}, 1, 2},
                      FoundCase{"BehindAHangingOne", {silent, names_primary, names_primary}, 0, {0, 1}, {4, 3}, 1, 2},
                      FoundCase{"BehindOneThatKnowsNone", {knows_none, names_primary}, 0, {0, 1}, {3, 2}, 1, 0},
                      FoundCase{"BehindOneThatRefuses", {"-NOPERM no\r\n", names_primary}, 0, {0, 1}, {3, 2}, 1, 0},
                      FoundCase{"BehindOneThatTalksNonsense", {"+OK\r\n", names_primary}, 0, {0, 1}, {3, 2}, 1, 0},
                      FoundCase{"BehindOneWithTooManyClients",
                                {"-ERR max number of clients reached\r\n", names_primary},
                                0,
                                {0, 1},
                                {3, 2},
                                1,
                                0},
                      FoundCase{"GoingRound", {names_primary, refused, refused}, 1, {1, 2, 0}, {4, 3, 2}, 0, 1},
                      FoundCase{"WithTheLastOne", {refused, refused, names_primary}, 0, {0, 1, 2}, {4, 3, 2}, 2, 0},
                      FoundCase{"WithTheOnlyOne", {names_primary}, 0, {0}, {2}, 0, 0}),
    [](const auto& parameter) { return parameter.param.name; });

struct FailedCase {
  const char* name;
  std::vector<std::string_view> events;
  ErrorCode code;
  std::string_view message;
};

class PrimarySearchThatFails : public ::testing::TestWithParam<FailedCase> {};

TEST_P(PrimarySearchThatFails, AsksAllAndSaysWhatMayPassIfAnythingMay) {
  const auto& row = GetParam();
  PrimarySearch search(row.events.size(), 0);
  EXPECT_EQ(ask_all(search, row.events).sentinels.size(), row.events.size());
  EXPECT_EQ(search.primary(), std::nullopt);
  EXPECT_EQ(search.next_first(false), std::nullopt);
  const auto error = search.error("main");
  EXPECT_EQ(error.code, row.code);
  EXPECT_TRUE(error.message.contains(row.message)) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PrimarySearchThatFails,
    ::testing::Values(
        FailedCase{"AllAreDead",
                   {refused, refused},
                   ErrorCode::unavailable,
                   "no sentinel returned the primary's address: connection refused"},
        FailedCase{"AllHang", {silent, silent}, ErrorCode::timeout, "no sentinel returned the primary's address"},
        FailedCase{"NobodyKnowsTheName",
                   {knows_none, knows_none},
                   ErrorCode::invalid_argument,
                   "monitor no primary called 'main'"},
        FailedCase{
            "OneIsDeadAndTheOtherKnowsNone", {knows_none, refused}, ErrorCode::unavailable, "connection refused"},
        FailedCase{
            "OneRefusesAndTheOtherKnowsNone", {knows_none, "-NOPERM no\r\n"}, ErrorCode::permission, "no sentinel"},
        FailedCase{"OneIsDeadAndTheOthersRefuse",
                   {"-NOAUTH no\r\n", "-WRONGPASS no\r\n", refused},
                   ErrorCode::unavailable,
                   "refused"},
        FailedCase{"WrongPassword", {"-WRONGPASS no\r\n"}, ErrorCode::auth, "wrong user name or password"},
        FailedCase{"NotAuthenticated", {"-NOAUTH no\r\n"}, ErrorCode::auth, "NOAUTH"},
        FailedCase{"TooManyClients",
                   {"-WRONGPASS no\r\n", "-ERR max number of clients reached\r\n"},
                   ErrorCode::unavailable,
                   "maxclients"},
        FailedCase{"ItIsLoading", {"-LOADING no\r\n"}, ErrorCode::unavailable, "LOADING"},
        FailedCase{"ItIsBusy", {"-BUSY no\r\n"}, ErrorCode::unavailable, "BUSY"},
        FailedCase{"ItIsAServer", {"-ERR unknown command 'SENTINEL'\r\n"}, ErrorCode::unsupported_server, "SENTINEL"},
        FailedCase{"Nonsense", {"*1\r\n$1\r\nx\r\n"}, ErrorCode::protocol, "not a host and port"}),
    [](const auto& parameter) { return parameter.param.name; });

// A fail-over: the sentinel that is asked first still names the old primary, which is dead or has become a replica.
TEST(PrimarySearchTest, AsksAnotherFirstUntilOneNamesThePrimaryThatServes) {
  const std::vector<std::string_view> events(3, names_primary);
  std::size_t first = 0;
  std::vector<std::size_t> asked_first;
  for (const bool was_reached : {false, false, true, true, false}) {
    PrimarySearch search(events.size(), first);
    asked_first.push_back(ask_all(search, events).sentinels.front());
    first = search.next_first(was_reached).value_or(first);
  }
  EXPECT_EQ(asked_first, (std::vector<std::size_t>{0, 1, 2, 2, 2}));
  EXPECT_EQ(first, 0U);
}

}}  // namespace obol::redis
