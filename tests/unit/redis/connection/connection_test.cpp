// What a connection sends beside the commands, how it takes replies, and how it ends when the server does not keep to
// the protocol.
#include "redis/connection/connection.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/await.hpp"
#include "support/scripted_connection.hpp"

namespace obol::redis { namespace {

using std::chrono::milliseconds;
using testing::bytes_of;
using testing::greeting;
using testing::map_of;
using testing::Script;

class ConnectionTest : public testing::ScriptedConnectionTest {
 protected:
  /// The words of a reply to PING.
  static std::string ping(Connection& connection) {
    const auto reply = connection.call(Command{"PING"}, far());
    return reply ? std::string(reply->text) : reply.error().message;
  }
};

// As if the greeting had taken as long as a role counts for.
TEST_F(ConnectionTest, AsksOnlyThoseForTheirRoleThatMustHaveOne) {
  struct Case {
    Peer peer;
    std::string role, mode;
    bool asks_again;
  };
  for (const auto& [peer, role, mode, asks_again] :
       {Case{Peer::primary, "master", "standalone", true}, Case{Peer::replica, "slave", "standalone", false},
        Case{Peer::node, "slave", "cluster", false}, Case{Peer::sentinel, "sentinel", "sentinel", false}}) {
    SCOPED_TRACE(role);
    *script = {};
    script->pieces.push_back(greeting(role, mode));
    auto asked = connection(always);
    const auto introduced = asked.handshake({}, {}, peer, far());
    ASSERT_TRUE(introduced.has_value()) << introduced.error().message;
    script->written.clear();
    if (asks_again) script->pieces.push_back(greeting(role, mode));
    script->pieces.emplace_back("+PONG\r\n");
    const auto reply = asked.call(Command{"PING"}, far());
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->text, "PONG");
    EXPECT_EQ(script->written.contains("HELLO"), asks_again);
  }
}

TEST_F(ConnectionTest, EndsByItsDeadlineThoughPushesComeWithoutAnEnd) {
  script->endless = ">1\r\n+news\r\n";
  auto flooded = introduced();
  const auto reply = flooded.call(Command{"PING"}, passed());
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::timeout) << reply.error().message;
}

TEST_F(ConnectionTest, EndsByItsDeadlineThoughAReplyIsNeverWhole) {
  script->pieces.emplace_back("*900\r\n");
  script->endless = "_\r\n";
  auto flooded = introduced();
  const auto reply = flooded.call(Command{"PING"}, passed());
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::timeout) << reply.error().message;
}

TEST_F(ConnectionTest, EndsWhenMorePushesThatNobodyTakesCameThanAReplyMayCost) {
  script->endless = ">2\r\n+news\r\n+" + std::string(1000, 'x') + "\r\n";
  auto flooded = introduced();
  const auto reply = flooded.call(Command{"PING"}, far());
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::protocol) << reply.error().message;
}

TEST_F(ConnectionTest, TakesAnyNumberOfPushesInTheCourseOfManyReplies) {
  auto busy = introduced();
  script->on_write = [](Script& now) {
    now.pieces.push_back(">2\r\n+news\r\n+" + std::string(1000, 'x') + "\r\n");
    now.pieces.emplace_back("+PONG\r\n");
  };
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(busy.call(Command{"PING"}, far()).has_value()) << i;
}

TEST_F(ConnectionTest, DoesNotCountPushesThatAreTaken) {
  for (int i = 0; i < 200; ++i) script->pieces.push_back(">2\r\n+news\r\n+" + std::string(1000, 'x') + "\r\n");
  script->pieces.emplace_back("+PONG\r\n");
  auto listening = introduced();
  int taken = 0;
  listening.on_push([&](const Reply&) { ++taken; });
  const auto reply = listening.call(Command{"PING"}, far());
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(taken, 200);
}

TEST_F(ConnectionTest, TakesInAReplyThatIsAsLargeAsTheLimitThoughOthersComeWithIt) {
  const std::string large = fmt::format("${}\r\n{}\r\n", reply_limit - 10, std::string(reply_limit - 10, 'x'));
  for (int i = 0; i < 5; ++i) script->pieces.push_back(fmt::format("{0}+OK\r\n{0}", large));
  auto busy = introduced();
  ASSERT_TRUE(busy.send(Command{"PING"}.bytes(), far()).has_value());
  int replies = 0;
  while (replies < 15) {
    const auto reply = busy.next_reply();
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    if (*reply) {
      ++replies;
    } else {
      ASSERT_TRUE(busy.receive(far()).has_value());
    }
  }
}

TEST_F(ConnectionTest, AsksForTheRoleInFrontOfTheCommandsInTheSameWrite) {
  auto asking = introduced(always);
  say({greeting("master"), "+PONG\r\n"});
  EXPECT_EQ(ping(asking), "PONG");
  EXPECT_EQ(script->written, bytes_of({{"HELLO"}, {"PING"}}));
  EXPECT_EQ(script->writes, 1);
}

TEST_F(ConnectionTest, DoesNotAskForARoleThatWasSeenShortlyBefore) {
  auto asking = introduced(never);
  say({"+PONG\r\n", "+PONG\r\n"});
  EXPECT_EQ(ping(asking), "PONG");
  EXPECT_EQ(ping(asking), "PONG");
  EXPECT_EQ(script->written, bytes_of({{"PING"}, {"PING"}}));
}

TEST_F(ConnectionTest, TakesNoPushForTheRole) {
  auto asking = introduced(always);
  say({">1\r\n+news\r\n" + greeting("master") + ">1\r\n+news\r\n+PONG\r\n"});
  EXPECT_EQ(ping(asking), "PONG");
}

struct NoPrimary {
  std::string_view what;
  std::string answer;  ///< To the question for the role.
  ErrorCode code;
  std::string_view words;
};

std::vector<NoPrimary> answers_of_no_primary() {
  return {{"a replica", greeting("slave"), ErrorCode::unavailable, "this server is a replica"},
          {"a sentinel", map_of({{"mode", "sentinel"}}), ErrorCode::invalid_argument, "this server is a sentinel"},
          {"no role", map_of({{"mode", "standalone"}}), ErrorCode::unsupported_server, "is a proxy answering"},
          {"another command's reply", "+PONG\r\n", ErrorCode::unsupported_server, "is a proxy answering"},
          {"loading", "-LOADING the dataset\r\n", ErrorCode::unavailable, "the server said LOADING to HELLO"},
          {"not authenticated any more", "-NOAUTH\r\n", ErrorCode::unavailable, "the server said NOAUTH to HELLO"},
          {"no permission", "-NOPERM\r\n", ErrorCode::permission, "the server said NOPERM to HELLO"}};
}

TEST_F(ConnectionTest, GivesNoReplyOfAServerThatIsNoPrimaryAnyMore) {
  for (const auto& [what, answer, code, words] : answers_of_no_primary()) {
    SCOPED_TRACE(what);
    *script = {};
    auto demoted = introduced(always);
    say({answer + "+PONG\r\n"});
    const auto reply = demoted.call(Command{"PING"}, far());
    ASSERT_FALSE(reply.has_value()) << reply->text;
    EXPECT_EQ(reply.error().code, code) << reply.error().message;
    EXPECT_TRUE(reply.error().message.contains(words)) << reply.error().message;
  }
}

TEST_F(ConnectionTest, ConfirmsTheRoleWithoutACommand) {
  auto asking = introduced(never);
  say({greeting("master")});
  EXPECT_TRUE(asking.confirm_role(far()).has_value());
  EXPECT_EQ(script->written, bytes_of({{"HELLO"}}));
  for (const auto& [what, answer, code, words] : answers_of_no_primary()) {
    SCOPED_TRACE(what);
    *script = {};
    auto demoted = introduced(never);
    say({answer});
    const auto confirmed = demoted.confirm_role(far());
    ASSERT_FALSE(confirmed.has_value());
    EXPECT_EQ(confirmed.error().code, code) << confirmed.error().message;
    EXPECT_TRUE(confirmed.error().message.contains(words)) << confirmed.error().message;
  }
}

const std::string info = "$50\r\n\nrun_id:1f3c5a7e9b2d4f60718293a4b5c6d7e8f9a0b1c2\r\n\r\n";

TEST_F(ConnectionTest, KnowsItsServerOnceItWasIdentified) {
  auto asking = introduced();
  EXPECT_FALSE(asking.identity().is_known());
  say({info});
  const auto identified = asking.identify(far());
  ASSERT_TRUE(identified.has_value()) << identified.error().message;
  EXPECT_EQ(script->written, bytes_of({{"INFO", "server"}}));
  EXPECT_EQ(asking.identity(), ServerIdentity(0x1f3c5a7e9b2d4f60));
}

TEST_F(ConnectionTest, StaysOfUseIfItsServerDoesNotSayWhichItIs) {
  for (const auto& [answer, code] :
       {std::pair{"-NOPERM\r\n", ErrorCode::permission}, std::pair{"$0\r\n\r\n", ErrorCode::unsupported_server}}) {
    *script = {};
    auto asking = introduced();
    say({answer, "+PONG\r\n"});
    const auto identified = asking.identify(far());
    ASSERT_FALSE(identified.has_value());
    EXPECT_EQ(identified.error().code, code) << identified.error().message;
    EXPECT_FALSE(asking.identity().is_known());
    EXPECT_EQ(ping(asking), "PONG");
  }
}

// HELLO tells the server's number of the connection.
TEST_F(ConnectionTest, NoticesThatAProxyMovedItToAnotherServerOnceItIsIdentified) {
  for (const bool is_identified : {false, true}) {
    SCOPED_TRACE(is_identified);
    *script = {};
    auto moved = introduced(always);
    if (is_identified) {
      say({greeting("master"), info});
      ASSERT_TRUE(moved.identify(far()).has_value());
    }
    say({greeting("master", "standalone", 7), "+PONG\r\n"});
    EXPECT_EQ(ping(moved), "PONG");
    say({greeting("master", "standalone", 8), "+PONG\r\n"});
    const auto reply = moved.call(Command{"PING"}, far());
    EXPECT_EQ(reply.has_value(), !is_identified);
    if (!reply) {
      EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
      EXPECT_TRUE(reply.error().message.contains("a proxy in between moved the connection")) << reply.error().message;
    }
  }
}

TEST_F(ConnectionTest, GivesRepliesInTheirOrderAndNoneThatIsNotWhole) {
  auto reading = introduced();
  say({"+one\r\n-ERR two\r\n$5\r\nth", "ree\r\n"});
  ASSERT_TRUE(reading.receive(far()).has_value());
  EXPECT_EQ(reading.next_reply().value()->text, "one");
  const auto second = reading.next_reply().value();
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(second->is_error()) << "an error reply is a reply";
  EXPECT_EQ(second->text, "ERR two");
  EXPECT_FALSE(reading.next_reply().value().has_value());
  ASSERT_TRUE(reading.receive(far()).has_value());
  EXPECT_EQ(reading.next_reply().value()->text, "three");
}

TEST_F(ConnectionTest, GivesPushesInTheirPlaceBetweenTheReplies) {
  auto reading = introduced();
  std::vector<std::string> seen;
  reading.on_push([&seen](const Reply& push) { seen.emplace_back(push.elements.at(0).text); });
  say({">1\r\n+a\r\n+one\r\n>1\r\n+b\r\n>1\r\n+c\r\n+two\r\n>1\r\n+d\r\n"});
  ASSERT_TRUE(reading.receive(far()).has_value());
  while (const auto reply = reading.next_reply().value()) seen.emplace_back(reply->text);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "one", "b", "c", "two", "d"}));
}

TEST_F(ConnectionTest, EndsWithTheErrorOfAReplyThatItCannotTake) {
  for (const auto& [bytes, code] : {std::pair{std::string("no reply\r\n"), ErrorCode::protocol},
                                    std::pair{fmt::format("${}\r\n", reply_limit + 1), ErrorCode::too_large}}) {
    *script = {};
    auto reading = introduced();
    say({bytes});
    script->endless = std::string(1000, 'x');
    const auto reply = reading.call(Command{"PING"}, far());
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, code) << reply.error().message;
  }
}

TEST_F(ConnectionTest, EndsWithTheErrorOfItsStream) {
  const Error lost{ErrorCode::unavailable, "the connection was lost"};
  for (const bool by_write : {true, false}) {
    SCOPED_TRACE(by_write);
    *script = {};
    auto broken = introduced();
    (by_write ? script->write_error : script->read_error) = lost;
    const auto replies = broken.call_all(std::array{Command{"PING"}}, far());
    ASSERT_FALSE(replies.has_value());
    EXPECT_EQ(replies.error().message, lost.message);
    EXPECT_EQ(ping(broken), lost.message);
    const auto confirmed = broken.confirm_role(far());
    ASSERT_FALSE(confirmed.has_value());
    EXPECT_EQ(confirmed.error().message, lost.message);
    EXPECT_EQ(broken.identify(far()).error().message, lost.message);
  }
}

TEST_F(ConnectionTest, TakesInWhatHasComeWithoutWaiting) {
  auto looking = introduced();
  EXPECT_FALSE(looking.receive_if_ready().value());
  say({"+PO", "NG\r\n"});
  EXPECT_TRUE(looking.receive_if_ready().value());
  EXPECT_FALSE(looking.next_reply().value().has_value());
  EXPECT_TRUE(looking.receive_if_ready().value());
  EXPECT_EQ(looking.next_reply().value()->text, "PONG");
  EXPECT_FALSE(looking.receive_if_ready().value());
  EXPECT_EQ(script->waits, 0);
  script->read_error = Error{ErrorCode::unavailable, "the server closed the connection"};
  const auto lost = looking.receive_if_ready();
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().message, "the server closed the connection");
}

TEST_F(ConnectionTest, TakesAReplyThatComesAfterATimeout) {
  auto waiting = introduced();
  ASSERT_TRUE(waiting.send(Command{"PING"}.bytes(), far()).has_value());
  script->says_ready = false;
  const auto received = waiting.receive(far());
  ASSERT_FALSE(received.has_value());
  EXPECT_EQ(received.error().code, ErrorCode::timeout);
  say({"+PONG\r\n"});
  ASSERT_TRUE(waiting.receive(far()).has_value());
  EXPECT_EQ(waiting.next_reply().value()->text, "PONG");
}

TEST_F(ConnectionTest, IsReusableOnlyIfNothingUnreadHasCome) {
  auto idle = introduced();
  EXPECT_TRUE(idle.is_reusable());
  say({"+late\r\n+half"});
  EXPECT_FALSE(idle.is_reusable());
  EXPECT_TRUE(idle.is_settled()) << "the kernel was not asked";
  ASSERT_TRUE(idle.receive(far()).has_value());
  EXPECT_FALSE(idle.is_settled());
  EXPECT_FALSE(idle.is_reusable());
  ASSERT_TRUE(idle.next_reply().value().has_value());
  EXPECT_FALSE(idle.is_settled()) << "half a reply was received";
  EXPECT_FALSE(idle.is_reusable());
  say({"\r\n"});
  ASSERT_TRUE(idle.receive(far()).has_value());
  ASSERT_TRUE(idle.next_reply().value().has_value());
  EXPECT_TRUE(idle.is_reusable());
  script->read_error = Error{ErrorCode::unavailable, "the server closed the connection"};
  EXPECT_FALSE(idle.is_reusable());
}

// The second bulk string of ECHO, the last command.
std::string marker_in(std::string_view written) {
  const auto start = written.rfind('$');
  return std::string(written.substr(start));
}

TEST_F(ConnectionTest, AnswersABatchInOneSendWithAMarkerBehindIt) {
  auto batching = introduced();
  script->on_write = [](Script& now) { now.pieces.push_back("+one\r\n-ERR two\r\n" + marker_in(now.written)); };
  const auto replies = batching.call_all(std::array{Command{"GET", "1"}, Command{"GET", "2"}}, far());
  ASSERT_TRUE(replies.has_value()) << replies.error().message;
  ASSERT_EQ(replies->size(), 2U);
  EXPECT_EQ((*replies)[0].text, "one");
  EXPECT_TRUE((*replies)[1].is_error());
  EXPECT_EQ(script->writes, 1);
  EXPECT_TRUE(script->written.starts_with(bytes_of({{"GET", "1"}, {"GET", "2"}}) + "*2\r\n$4\r\nECHO\r\n"));
  EXPECT_TRUE(batching.is_reusable());
}

TEST_F(ConnectionTest, AnswersNothingOfABatchWhoseMarkerIsNotInItsPlace) {
  struct Case {
    std::string_view what, before;
    bool is_marker_behind;
    std::string_view behind;
    ErrorCode code;
  };
  for (const auto& [what, before, is_marker_behind, behind, code] :
       {Case{"a reply twice", "+one\r\n+one\r\n+two\r\n", true, "", ErrorCode::unavailable},
        Case{"a reply lost, another behind", "+one\r\n", true, "+next\r\n", ErrorCode::unavailable},
        Case{"a reply lost", "+one\r\n", true, "", ErrorCode::timeout},
        Case{"the marker lost", "+one\r\n+two\r\n", false, "", ErrorCode::timeout},
        Case{"another batch's marker", "+one\r\n+two\r\n$6\r\nobol-0\r\n", true, "", ErrorCode::unavailable},
        Case{"a refused marker", "+one\r\n+two\r\n-NOPERM\r\n", false, "", ErrorCode::permission}}) {
    SCOPED_TRACE(what);
    *script = {};
    auto batching = introduced();
    script->says_ready = false;
    script->on_write = [&](Script& now) {
      now.pieces.push_back(std::string(before) + (is_marker_behind ? marker_in(now.written) : "") +
                           std::string(behind));
    };
    const auto replies = batching.call_all(std::array{Command{"GET", "1"}, Command{"GET", "2"}}, far());
    ASSERT_FALSE(replies.has_value());
    EXPECT_EQ(replies.error().code, code) << replies.error().message;
  }
}

class AuthenticatedConnectionTest : public ConnectionTest {
 protected:
  /// One that was opened with the password "one".
  Connection authenticated(milliseconds role_interval = never) {
    auto made = introduced(role_interval);
    made.keep_authenticated(source, source->adopt(source->ask().value()));
    return made;
  }

  std::shared_ptr<CredentialsSource> source =
      std::make_shared<CredentialsSource>(ConnectionOptions{.username = "web", .password = "one"});
};

TEST_F(AuthenticatedConnectionTest, AuthenticatesAgainInFrontOfItsNextCommandOnceItsCredentialsHaveChanged) {
  auto renewed = authenticated();
  say({"+PONG\r\n"});
  EXPECT_EQ(ping(renewed), "PONG");
  EXPECT_EQ(script->written, bytes_of({{"PING"}})) << "nothing has changed yet";
  script->written.clear();
  source->replace({.username = "web", .password = "two"});
  say({"+OK\r\n+PONG\r\n", "+PONG\r\n"});
  EXPECT_EQ(ping(renewed), "PONG");
  EXPECT_EQ(ping(renewed), "PONG");
  EXPECT_EQ(script->written, bytes_of({{"AUTH", "web", "two"}, {"PING"}, {"PING"}}));
  EXPECT_EQ(script->writes, 3);
}

TEST_F(AuthenticatedConnectionTest, LosesNoCallToAServerThatRefusesTheNewCredentials) {
  auto renewed = authenticated();
  source->replace({.username = "web", .password = "wrong"});
  say({"-WRONGPASS invalid username-password pair\r\n+PONG\r\n"});
  EXPECT_EQ(ping(renewed), "PONG");
  EXPECT_TRUE(renewed.is_reusable());
}

TEST_F(AuthenticatedConnectionTest, AuthenticatesBeforeItAsksForTheRole) {
  auto renewed = authenticated(always);
  source->replace({.username = "web", .password = "two"});
  say({"+OK\r\n" + greeting("master") + "+PONG\r\n"});
  EXPECT_EQ(ping(renewed), "PONG");
  EXPECT_EQ(script->written, bytes_of({{"AUTH", "web", "two"}, {"HELLO"}, {"PING"}}));
  EXPECT_EQ(script->writes, 1);
}

TEST_F(AuthenticatedConnectionTest, AuthenticatesAgainAlsoIfNothingButItsRoleIsConfirmed) {
  auto renewed = authenticated();
  source->replace({.username = "web", .password = "two"});
  say({"+OK\r\n" + greeting("master")});
  EXPECT_TRUE(renewed.confirm_role(far()).has_value());
  EXPECT_EQ(script->written, bytes_of({{"AUTH", "web", "two"}, {"HELLO"}}));
}

TEST_F(AuthenticatedConnectionTest, LetsItsSourceRenewCredentialsThatEndIfNothingButItsRoleIsConfirmed) {
  int asked = 0;
  source = std::make_shared<CredentialsSource>(ConnectionOptions{.credentials = [&asked] {
    return Result<UserCredentials>(UserCredentials{.password = std::to_string(++asked), .valid_for = milliseconds(1)});
  }});
  auto renewed = authenticated();
  script->on_write = [](Script& now) {
    now.pieces.push_back((now.written.contains("AUTH") ? "+OK\r\n" : "") + greeting("master"));
  };
  testing::await("the credentials to end", [&] {
    script->written.clear();
    EXPECT_TRUE(renewed.confirm_role(far()).has_value());
    return script->written.contains("AUTH");
  });
  EXPECT_EQ(script->written, bytes_of({{"AUTH", "default", "2"}, {"HELLO"}}));
}

// As it is handed over by whoever opened it: in the middle of a reply, with an answer to a question of its own to come.
TEST_F(AuthenticatedConnectionTest, GivesUpPartsThatGoOnWhereItWas) {
  auto opened = authenticated(always);
  say({greeting("master") + "+PO"});
  ASSERT_TRUE(opened.send(Command{"PING"}.bytes(), far()).has_value());
  ASSERT_TRUE(opened.receive(far()).has_value());
  auto parts = std::move(opened).release();

  EXPECT_FALSE(parts.is_exposed);
  EXPECT_EQ(parts.state.server().name(), "Valkey 9.1.2");
  EXPECT_FALSE(parts.state.next_reply().value().has_value());
  parts.state.feed("NG\r\n");
  EXPECT_EQ(parts.state.next_reply().value()->text, "PONG");
  EXPECT_TRUE(parts.state.is_settled());

  script->written.clear();
  ASSERT_TRUE(parts.stream->write_all("bytes", far()).has_value());
  EXPECT_EQ(script->written, "bytes");

  const auto now = Deadline::Time::now();
  EXPECT_FALSE(renewed_credentials(parts.state, parts.credentials.get(), now).has_value());
  source->replace({.username = "web", .password = "two"});
  EXPECT_EQ(parts.state.questions_due(now, renewed_credentials(parts.state, parts.credentials.get(), now)),
            bytes_of({{"AUTH", "web", "two"}, {"HELLO"}}));
}

TEST_F(ConnectionTest, GivesUpPartsThatDoNotAuthenticateAgainIfItNeverDid) {
  Connection opened(std::make_unique<testing::ScriptedStream>(script), reply_limit, true);
  const auto parts = std::move(opened).release();
  EXPECT_TRUE(parts.is_exposed);
  EXPECT_EQ(parts.credentials, nullptr);
  EXPECT_FALSE(renewed_credentials(parts.state, nullptr, Deadline::Time::now()).has_value());
}

}}  // namespace obol::redis
