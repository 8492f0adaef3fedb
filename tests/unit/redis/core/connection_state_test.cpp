// What a connection asks beside the commands, and whose answer each reply is, however the bytes come.
#include "redis/core/connection_state.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/scripted_connection.hpp"

namespace obol::redis { namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::bytes_of;
using testing::greeting;
using testing::map_of;
using testing::reply_limit;

constexpr milliseconds interval{1500};
const std::string push = ">2\r\n+invalidate\r\n+key\r\n";

class ConnectionStateTest : public ::testing::Test {
 protected:
  ConnectionStateTest() { begin(Peer::primary); }

  void begin(Peer peer, RoleSource role_source = RoleSource::hello, int client_id = 7) {
    state = ConnectionState(reply_limit, interval);
    state.begin({.peer = peer,
                 .server = {.kind = "Valkey", .version = "9.1.2"},
                 .client_id = client_id,
                 .role_source = role_source},
                now);
    state.keep_authenticated(1);
  }

  static CurrentCredentials credentials(std::string password, CredentialsGeneration generation = 2) {
    return {.credentials = {.password = std::move(password)}, .generation = generation};
  }

  /// Commands are sent; what stands in front of them.
  std::string ask(std::size_t unanswered = 0, const std::optional<CurrentCredentials>& renewed = std::nullopt) {
    return state.questions_due(now, renewed, unanswered);
  }

  /// The replies that are whole, and the error behind them.
  std::vector<std::string> replies() {
    std::vector<std::string> given;
    for (;;) {
      const auto reply = state.next_reply();
      if (!reply) {
        given.push_back("error: " + reply.error().message);
        return given;
      }
      if (!*reply) return given;
      given.emplace_back((*reply)->text);
    }
  }
  std::vector<std::string> replies_to(std::string_view bytes) {
    state.feed(bytes);
    return replies();
  }

  using Texts = std::vector<std::string>;

  ConnectionState state{reply_limit, interval};
  ConnectionState::Time now{hours(1)};
};

TEST_F(ConnectionStateTest, AsksForTheRoleOfAPrimaryOnceTheIntervalHasPassed) {
  const auto role = bytes_of({{"HELLO"}});
  struct Case {
    Peer peer;
    milliseconds passed;
    std::string asked;
  };
  for (const auto& [peer, passed, asked] :
       {Case{Peer::primary, milliseconds(0), ""}, Case{Peer::primary, interval - milliseconds(1), ""},
        Case{Peer::primary, interval, role}, Case{Peer::primary, hours(24), role}, Case{Peer::replica, hours(24), ""},
        Case{Peer::node, hours(24), ""}, Case{Peer::sentinel, hours(24), ""}}) {
    now = ConnectionState::Time(hours(1));
    begin(peer);
    now += passed;
    EXPECT_EQ(ask(), asked);
    EXPECT_EQ(ask(), "") << "not twice for the same";
  }
}

TEST_F(ConnectionStateTest, AsksForTheRoleWhereItIsTold) {
  struct Case {
    RoleSource source;
    std::string asked;
    std::string answer;
    Texts given;
  };
  const auto by_role = bytes_of({{"ROLE"}});
  const auto by_hello = bytes_of({{"HELLO"}});
  const std::string of_replica = "error: this server is a replica; connect to the primary, or wait for the failover";
  for (const auto& [source, asked, answer, given] :
       {Case{RoleSource::role, by_role, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", {"1"}},
        Case{RoleSource::role, by_role, "*2\r\n$5\r\nslave\r\n$1\r\nh\r\n", {of_replica}},
        Case{RoleSource::role,
             by_role,
             "+OK\r\n",
             {"error: the reply to ROLE does not say whether this is a primary; is a proxy answering instead?"}},
        Case{RoleSource::nobody, by_hello, map_of({{"server", "redis"}}), {"1"}},
        Case{RoleSource::nobody, by_hello, greeting("slave"), {of_replica}},
        Case{RoleSource::nobody,
             by_hello,
             "+OK\r\n",
             {"error: the reply to HELLO does not say whether this is a primary; is a proxy answering instead?"}}}) {
    begin(Peer::primary, source);
    EXPECT_EQ(state.is_role_told(), source != RoleSource::nobody);
    now += interval;
    EXPECT_EQ(ask(), asked);
    EXPECT_EQ(replies_to(answer + "+1\r\n"), given);
  }
}

TEST_F(ConnectionStateTest, IsNotIdentifiedIfHelloDoesNotTellRoleAndNumber) {
  const auto info = "$50\r\n\nrun_id:1f3c5a7e9b2d4f60718293a4b5c6d7e8f9a0b1c2\r\n\r\n";
  for (const auto& [source, client_id] :
       {std::pair{RoleSource::role, 7}, std::pair{RoleSource::nobody, 7}, std::pair{RoleSource::hello, 0}}) {
    begin(Peer::primary, source, client_id);
    state.feed(info);
    const auto taken = state.take_identity(state.next_reply().value().value());
    ASSERT_FALSE(taken.has_value());
    EXPECT_EQ(taken.error().code, ErrorCode::unsupported_server);
    EXPECT_FALSE(state.identity().is_known());
  }
}

TEST_F(ConnectionStateTest, CountsTheAgeOfARoleFromWhenItWasAskedFor) {
  now += interval;
  ASSERT_NE(ask(), "");
  now += interval - milliseconds(1);
  EXPECT_EQ(replies_to(greeting("master")), Texts{}) << "the answer took its time";
  EXPECT_EQ(ask(), "");
  now += milliseconds(1);
  EXPECT_NE(ask(), "");
}

TEST_F(ConnectionStateTest, AsksForTheRoleAgainThoughAnAnswerIsAwaited) {
  now += interval;
  ASSERT_NE(ask(), "");
  now += interval;
  EXPECT_NE(ask(1), "") << "no reply may be older than the interval";
  EXPECT_EQ(replies_to(greeting("master") + "+1\r\n" + greeting("master") + "+2\r\n"), (Texts{"1", "2"}));
}

TEST_F(ConnectionStateTest, AuthenticatesInFrontOfTheRoleIfThereAreRenewedCredentials) {
  EXPECT_FALSE(state.must_authenticate(1, now));
  EXPECT_TRUE(state.must_authenticate(2, now));
  now += interval;
  EXPECT_EQ(ask(0, credentials("two")), bytes_of({{"AUTH", "default", "two"}, {"HELLO"}}));
  EXPECT_FALSE(state.must_authenticate(2, now + hours(1))) << "its answer is awaited";
  EXPECT_EQ(replies_to("+OK\r\n" + greeting("master") + "+1\r\n"), Texts{"1"});
  EXPECT_FALSE(state.must_authenticate(2, now));
  EXPECT_TRUE(state.is_settled());
}

TEST_F(ConnectionStateTest, StaysOfUseIfTheServerRefusesToAuthenticateIt) {
  EXPECT_EQ(ask(0, credentials("wrong")), bytes_of({{"AUTH", "default", "wrong"}}));
  EXPECT_EQ(replies_to("-WRONGPASS invalid username-password pair\r\n+1\r\n"), Texts{"1"});
  EXPECT_TRUE(state.is_settled());
  EXPECT_FALSE(state.must_authenticate(2, now));
  EXPECT_TRUE(state.must_authenticate(2, now + least_pause_after_refusal));
}

TEST_F(ConnectionStateTest, SendsNothingForCredentialsThatStandForNobody) {
  EXPECT_EQ(ask(0, credentials("")), "");
  EXPECT_TRUE(state.is_settled());
  EXPECT_FALSE(state.must_authenticate(2, now));
}

/// Several sends in the air: what is asked between them, and what comes.
struct Traffic {
  std::string_view what;
  std::function<void(ConnectionState&, ConnectionState::Time)> send{};
  std::string bytes{};
  std::vector<std::string> replies{};
};

std::vector<Traffic> traffic_cases() {
  const auto role = greeting("master");
  const auto renewed = [](CredentialsGeneration generation) {
    return CurrentCredentials{.credentials = {.password = "secret"}, .generation = generation};
  };
  return {
      {"nothing asked", [](auto&, auto) {}, push + "+1\r\n" + push + "-ERR 2\r\n$1\r\n3\r\n", {"1", "ERR 2", "3"}},
      {"the role in front",
       [](auto& state, auto now) { state.questions(now, std::nullopt); },
       push + role + push + "+1\r\n+2\r\n" + push,
       {"1", "2"}},
      {"the role behind two commands",
       [](auto& state, auto now) { state.questions(now, std::nullopt, 2); },
       "+1\r\n" + push + "+2\r\n" + push + role + "+3\r\n",
       {"1", "2", "3"}},
      {"all there is, behind one command",
       [&](auto& state, auto now) { state.questions(now, renewed(2), 1); },
       "+1\r\n" + push + "+OK\r\n" + push + role + "+2\r\n",
       {"1", "2"}},
      {"a question behind each of two commands",
       [&](auto& state, auto now) {
         state.questions(now, std::nullopt, 1);
         state.questions(now, renewed(2), 2);
       },
       "+1\r\n" + role + "+2\r\n-WRONGPASS no\r\n" + push + role + "+3\r\n",
       {"1", "2", "3"}},
      {"an error reply to each command",
       [](auto& state, auto now) { state.questions(now, std::nullopt, 1); },
       "-READONLY replica\r\n" + role + "-MOVED 1 :1\r\n-LOADING\r\n-NOAUTH\r\n-OOM\r\n",
       {"READONLY replica", "MOVED 1 :1", "LOADING", "NOAUTH", "OOM"}},
      {"a map and a list",
       [](auto& state, auto now) { state.questions(now, std::nullopt, 1); },
       "%1\r\n+a\r\n+b\r\n" + role + "*2\r\n:1\r\n_\r\n+end\r\n",
       {"", "", "end"}},
  };
}

TEST_F(ConnectionStateTest, GivesEachReplyToWhomItBelongs) {
  for (const auto& traffic : traffic_cases()) {
    SCOPED_TRACE(traffic.what);
    begin(Peer::primary);
    traffic.send(state, now);
    EXPECT_EQ(replies_to(traffic.bytes), traffic.replies);
    EXPECT_TRUE(state.is_settled());
  }
}

/// What comes of traffic whose bytes arrive in these pieces: replies, and pushes in their place.
std::vector<std::string> events(const Traffic& traffic, const std::vector<std::string_view>& pieces) {
  std::vector<std::string> seen;
  ConnectionState state(reply_limit, interval);
  state.on_push([&seen](const Reply& taken) { seen.push_back(fmt::format("push {}", taken.elements.at(1).text)); });
  traffic.send(state, ConnectionState::Time(hours(1)));
  for (const auto piece : pieces) {
    state.feed(piece);
    for (;;) {
      const auto reply = state.next_reply();
      if (!reply) seen.push_back("error: " + reply.error().message);
      if (!reply || !*reply) break;
      seen.push_back(fmt::format("{} {}", static_cast<int>((*reply)->kind), (*reply)->text));
    }
  }
  if (!state.is_settled()) seen.emplace_back("unread");
  return seen;
}

std::vector<std::string_view> split_at(std::string_view bytes, const std::vector<std::size_t>& places) {
  std::vector<std::string_view> pieces;
  std::size_t from = 0;
  for (const auto place : places) {
    pieces.push_back(bytes.substr(from, place - from));
    from = place;
  }
  pieces.push_back(bytes.substr(from));
  return pieces;
}

TEST_F(ConnectionStateTest, GivesTheSameHoweverTheBytesAreSplit) {
  for (const auto& traffic : traffic_cases()) {
    SCOPED_TRACE(traffic.what);
    const auto whole = events(traffic, {traffic.bytes});
    std::vector<std::size_t> all;
    for (std::size_t place = 1; place < traffic.bytes.size(); ++place) {
      ASSERT_EQ(events(traffic, split_at(traffic.bytes, {place})), whole) << place;
      all.push_back(place);
    }
    ASSERT_EQ(events(traffic, split_at(traffic.bytes, all)), whole) << "each byte alone";
  }
}

/// Traffic of a random number of commands, with questions, pushes and errors among them.
Traffic random_traffic(std::mt19937& random) {
  const auto one_of = [&random](std::size_t count) { return random() % count; };
  const std::vector<std::string> to_commands{"+text\r\n",
                                             "-ERR no\r\n",
                                             ":1\r\n",
                                             "_\r\n",
                                             "*2\r\n+a\r\n%1\r\n+b\r\n_\r\n",
                                             fmt::format("$3000\r\n{}\r\n", std::string(3000, 'x'))};
  const std::vector<std::string> to_authentication{"+OK\r\n", "-WRONGPASS no\r\n"};
  std::vector<std::pair<std::size_t, bool>> questions;  ///< Behind so many commands; with AUTH in front of it?
  Traffic traffic{.what = "random"};
  const auto commands = 1 + one_of(8);
  bool is_authenticating = false;
  for (std::size_t i = 0; i < commands; ++i) {
    if (one_of(3) == 0) {
      const bool authenticates = !is_authenticating && one_of(2) == 0;
      is_authenticating = is_authenticating || authenticates;
      questions.emplace_back(i, authenticates);
      if (authenticates) traffic.bytes += to_authentication[one_of(2)];
      traffic.bytes += greeting("master");
    }
    if (one_of(3) == 0) traffic.bytes += push;
    traffic.bytes += to_commands[one_of(to_commands.size())];
  }
  traffic.send = [questions](ConnectionState& state, ConnectionState::Time now) {
    for (const auto& [behind, authenticates] : questions) {
      std::optional<CurrentCredentials> renewed;
      if (authenticates) renewed = {.credentials = {.password = "secret"}, .generation = 2};
      state.questions(now, renewed, behind);
    }
  };
  traffic.replies.resize(commands);
  return traffic;
}

TEST_F(ConnectionStateTest, GivesTheSameForAnyFlightAndAnySplit) {
  std::mt19937 random(20261126);
  for (int round = 0; round < 500; ++round) {
    const auto traffic = random_traffic(random);
    const auto whole = events(traffic, {traffic.bytes});
    ASSERT_EQ(std::ranges::count_if(whole, [](const auto& event) { return !event.starts_with("push"); }),
              static_cast<std::ptrdiff_t>(traffic.replies.size()))
        << traffic.bytes;
    std::vector<std::size_t> places;
    for (std::size_t place = 1; place < traffic.bytes.size(); ++place) {
      if (random() % 40 == 0) places.push_back(place);
    }
    ASSERT_EQ(events(traffic, split_at(traffic.bytes, places)), whole) << traffic.bytes;
  }
}

/// What a fault of the network or of a server brings in place of the role's answer and two replies.
struct Fault {
  std::string_view what, bytes;
  std::vector<std::string> given;
  std::optional<ErrorCode> code;
};

std::vector<Fault> faults() {
  static const auto role = greeting("master");
  static const auto half_a_role = role.substr(0, role.size() / 2);
  static const auto cut = role + "+1\r\n+2";
  static const auto doubled = role + "+1\r\n+1\r\n+2\r\n";
  static const auto replica = greeting("slave") + "+1\r\n+2\r\n";
  static const auto sentinel = map_of({{"mode", "sentinel"}}) + "+1\r\n+2\r\n";
  static const auto garbage = role + "+1\r\nHTTP/1.1 400 Bad Request\r\n+2\r\n";
  static const auto large = role + fmt::format("+1\r\n${}\r\n{}", reply_limit + 1, std::string(reply_limit, 'x'));
  static const auto deep = role + "+1\r\n" + [] {
    std::string nested;
    for (int i = 0; i < 1025; ++i) nested += "*1\r\n";
    return nested;
  }();
  static const auto announced = role + "+1\r\n*4294967295\r\n";
  static const auto flood = role + "+1\r\n" + [] {
    std::string pushes;
    while (pushes.size() <= reply_limit) pushes += push;
    return pushes;
  }() + "+2\r\n";
  static const auto endless = role + "+1\r\n$60000\r\n" + std::string(100, 'x');
  return {
      {"nothing: the reply was swallowed", "", {}, {}},
      {"cut in the role's answer", half_a_role, {}, {}},
      {"cut in a reply", cut, {"1"}, {}},
      {"a reply that does not end", endless, {"1"}, {}},
      {"a reply twice", doubled, {"1", "1"}, {}},
      {"the role's answer lost", "+1\r\n+2\r\n", {}, ErrorCode::unsupported_server},
      {"demoted", replica, {}, ErrorCode::unavailable},
      {"a sentinel", sentinel, {}, ErrorCode::invalid_argument},
      {"LOADING", "-LOADING loading\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"MASTERDOWN", "-MASTERDOWN no link\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"BUSY", "-BUSY a script\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"READONLY", "-READONLY replica\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"CLUSTERDOWN", "-CLUSTERDOWN down\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"TRYAGAIN", "-TRYAGAIN later\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"too many clients", "-ERR max number of clients reached\r\n", {}, ErrorCode::unavailable},
      {"NOAUTH", "-NOAUTH Authentication required.\r\n+1\r\n+2\r\n", {}, ErrorCode::unavailable},
      {"WRONGPASS", "-WRONGPASS no\r\n+1\r\n+2\r\n", {}, ErrorCode::auth},
      {"NOPERM", "-NOPERM no\r\n+1\r\n+2\r\n", {}, ErrorCode::permission},
      {"MOVED", "-MOVED 1 :1\r\n+1\r\n+2\r\n", {}, ErrorCode::unsupported_server},
      {"garbage", garbage, {"1"}, ErrorCode::protocol},
      {"larger than the limit", large, {"1"}, ErrorCode::too_large},
      {"nested without an end", deep, {"1"}, ErrorCode::protocol},
      {"more elements than anybody sends", announced, {"1"}, ErrorCode::protocol},
      {"pushes without an end", flood, {"1"}, ErrorCode::protocol},
  };
}

TEST_F(ConnectionStateTest, GivesNothingBehindAFaultAndIsNotTakenForSettled) {
  for (const auto& fault : faults()) {
    SCOPED_TRACE(fault.what);
    begin(Peer::primary);
    now += interval;
    ASSERT_NE(ask(), "");
    state.feed(fault.bytes);
    for (const auto& expected : fault.given) EXPECT_EQ(state.next_reply().value()->text, expected);
    if (fault.code) {
      for (const auto* when : {"at once", "and for ever"}) {
        const auto failed = state.next_reply();
        ASSERT_FALSE(failed.has_value()) << when << (*failed ? (*failed)->text : "nothing");
        EXPECT_EQ(failed.error().code, *fault.code) << when << failed.error().message;
      }
    }
    EXPECT_FALSE(state.is_settled());
  }
}

// Its answer is told for another connection.
TEST_F(ConnectionStateTest, GivesNoReplyOfAnotherServerOnceItIsIdentified) {
  const auto info = "$50\r\n\nrun_id:1f3c5a7e9b2d4f60718293a4b5c6d7e8f9a0b1c2\r\n\r\n";
  struct Case {
    bool is_identified;
    int client_id;
    std::vector<std::string> given;
  };
  for (const auto& [is_identified, client_id, given] :
       {Case{false, 7, {"1"}}, Case{false, 8, {"1"}}, Case{true, 7, {"1"}},
        Case{true, 8, {"error: a proxy in between moved the connection to another server"}}}) {
    begin(Peer::primary);
    if (is_identified) {
      state.feed(info);
      ASSERT_TRUE(state.take_identity(state.next_reply().value().value()).has_value());
      EXPECT_EQ(state.identity(), ServerIdentity(0x1f3c5a7e9b2d4f60));
    }
    now += interval;
    ASSERT_NE(ask(), "");
    EXPECT_EQ(replies_to(greeting("master", "standalone", client_id) + "+1\r\n"), given);
  }
}

TEST_F(ConnectionStateTest, TakesTheAnswersToItsQuestionsAndNothingBehindThem) {
  state.questions(now, credentials("two"));
  const auto bytes = "+OK\r\n" + push + greeting("master");
  for (const auto byte : bytes) {
    EXPECT_FALSE(state.take_answers().value());
    state.feed({&byte, 1});
  }
  state.feed("+unasked\r\n");
  EXPECT_TRUE(state.take_answers().value());
  EXPECT_FALSE(state.is_settled());
  EXPECT_EQ(replies(), Texts{"unasked"});
}

TEST_F(ConnectionStateTest, SaysWhyAnAnswerToItsQuestionsWillNotDo) {
  for (const auto& [answer, code] : {std::pair{greeting("slave"), ErrorCode::unavailable},
                                     std::pair{std::string("-NOPERM\r\n"), ErrorCode::permission},
                                     std::pair{std::string("nonsense\r\n"), ErrorCode::protocol}}) {
    begin(Peer::primary);
    state.questions(now, std::nullopt);
    state.feed(answer);
    for (int again = 0; again < 2; ++again) {
      const auto answered = state.take_answers();
      ASSERT_FALSE(answered.has_value());
      EXPECT_EQ(answered.error().code, code) << answered.error().message;
    }
  }
}

}}  // namespace obol::redis
