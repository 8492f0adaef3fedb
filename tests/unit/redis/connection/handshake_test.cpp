// The handshake of a connection: what it says of itself, which servers it accepts, and what the caller is told of
// others.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redis/connection/connection.hpp"
#include "support/scripted_connection.hpp"

namespace obol::redis { namespace {

using testing::bytes_of;
using testing::greeting;
using testing::map_of;

class HandshakeTest : public testing::ScriptedConnectionTest {
 protected:
  Result<void> handshake(const ConnectionOptions& options, Peer peer, const UserCredentials& credentials = {}) {
    auto made = connection();
    return made.handshake(options, credentials, peer, far());
  }

  /// The error of a handshake with a server that says this.
  Error error_with(const std::string& said, Peer peer, const ConnectionOptions& options = {},
                   const UserCredentials& credentials = {}) {
    *script = {};
    script->read_error = Error{ErrorCode::internal, "more was asked for"};
    say({said});
    const auto made = handshake(options, peer, credentials);
    EXPECT_FALSE(made.has_value());
    return made ? Error{ErrorCode::internal, "accepted"} : made.error();
  }
};

const ConnectionOptions of_cluster{.cluster = {.seeds = {{.host = "seed", .port = 6379}}}};

TEST_F(HandshakeTest, GivesCredentialsAndNameWithTheFirstCommandAndThenChoosesTheDatabase) {
  struct Case {
    ConnectionOptions options;
    UserCredentials credentials;
    std::string sent;
  };
  const std::string unnamed;
  for (const auto& [options, credentials, sent] :
       {Case{{}, {}, bytes_of({{"HELLO", "3", "SETNAME", "obol"}})},
        Case{{.client_name = unnamed}, {}, bytes_of({{"HELLO", "3"}})},
        Case{{.client_name = unnamed}, {.password = "secret"}, bytes_of({{"HELLO", "3", "AUTH", "default", "secret"}})},
        Case{{.client_name = unnamed}, {.username = "web"}, bytes_of({{"HELLO", "3", "AUTH", "web", ""}})},
        Case{{.client_name = "shop"},
             {.username = "web", .password = "secret"},
             bytes_of({{"HELLO", "3", "AUTH", "web", "secret", "SETNAME", "shop"}})},
        Case{{.database = 15}, {}, bytes_of({{"HELLO", "3", "SETNAME", "obol"}, {"SELECT", "15"}})}}) {
    *script = {};
    say({greeting("master"), "+OK\r\n"});
    const auto made = handshake(options, Peer::primary, credentials);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(script->written, sent);
  }
}

// What it calls itself decides nothing: what it can do shows when it is asked for.
TEST_F(HandshakeTest, AcceptsAServerThatCallsItselfOlderOrSomethingElseOrNothing) {
  for (const auto& [said, name] :
       {std::pair{map_of({{"server", "redis"}, {"version", "7.2.4"}, {"role", "master"}}), "Redis 7.2.4"},
        std::pair{map_of({{"server", "kin"}, {"tier", "gold"}, {"role", "master"}}), "kin"},
        std::pair{map_of({{"proto", ":3"}, {"role", "master"}}), "unknown server"}}) {
    for (const auto peer : {Peer::primary, Peer::replica, Peer::node}) {
      *script = {};
      say({said});
      auto made = connection();
      const auto done = made.handshake({}, {}, peer, far());
      ASSERT_TRUE(done.has_value()) << said << done.error().message;
      EXPECT_EQ(made.server().name(), name);
      EXPECT_FALSE(made.server().is_tested());
    }
  }
}

TEST_F(HandshakeTest, AsksForTheRoleWithRoleIfHelloDoesNotTellIt) {
  const auto without_role = map_of({{"server", "redis"}, {"mode", "standalone"}});
  struct Case {
    std::string said;  ///< To ROLE.
    std::error_code code;
    bool is_told;
  };
  for (const auto& [said, code, is_told] :
       {Case{"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", {}, true},
        Case{"*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$7\r\nconnect\r\n:-1\r\n", ErrorCode::unavailable, true},
        Case{"*2\r\n$8\r\nsentinel\r\n*0\r\n", ErrorCode::invalid_argument, true},
        Case{"-ERR unknown command 'ROLE'\r\n", {}, false}, Case{"-NOPERM no\r\n", {}, false},
        Case{"+OK\r\n", {}, false}, Case{"*0\r\n", {}, false},
        Case{"-LOADING the dataset\r\n", ErrorCode::unavailable, true}}) {
    SCOPED_TRACE(said);
    *script = {};
    say({without_role, said, "+OK\r\n"});
    auto made = connection();
    const auto done = made.handshake({.database = 7}, {}, Peer::primary, far());
    EXPECT_EQ(done ? std::error_code() : done.error().code, code);
    const auto asked = bytes_of({{"HELLO", "3", "SETNAME", "obol"}, {"ROLE"}});
    EXPECT_EQ(script->written, done ? asked + bytes_of({{"SELECT", "7"}}) : asked);
    EXPECT_TRUE(!done || made.is_role_told() == is_told);
  }
}

// A replica of a cluster sends readers to its primary unless they say READONLY.
TEST_F(HandshakeTest, AsksOnlyAReplicaOfAClusterToServeReads) {
  struct Case {
    Peer peer;
    ConnectionOptions options;
    std::string role;
    bool asks;
  };
  for (const auto& [peer, options, role, asks] :
       {Case{Peer::replica, of_cluster, "slave", true}, Case{Peer::replica, {}, "slave", false},
        Case{Peer::primary, of_cluster, "master", false}, Case{Peer::node, of_cluster, "slave", false}}) {
    *script = {};
    say({greeting(role), "+OK\r\n"});
    const auto made = handshake(options, peer);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(script->written.ends_with(Command{"READONLY"}.bytes()), asks) << script->written;
    EXPECT_EQ(script->writes, asks ? 2 : 1);
  }
}

TEST_F(HandshakeTest, AcceptsWhoIsExpected) {
  const auto old_sentinel = map_of({{"server", "redis"}, {"version", "6.2.0"}, {"mode", "sentinel"}});
  const auto without_role = map_of({{"server", "redis"}, {"version", "8.0.0"}});
  for (const auto& [peer, said] :
       {std::pair{Peer::primary, greeting("master")}, std::pair{Peer::primary, greeting("master", "cluster")},
        std::pair{Peer::replica, greeting("slave")}, std::pair{Peer::replica, greeting("master")},
        std::pair{Peer::node, greeting("master", "cluster")}, std::pair{Peer::node, greeting("slave", "cluster")},
        std::pair{Peer::node, without_role}, std::pair{Peer::replica, without_role},
        std::pair{Peer::sentinel, greeting("sentinel", "sentinel")}, std::pair{Peer::sentinel, old_sentinel}}) {
    *script = {};
    say({said});
    const auto made = handshake({}, peer);
    EXPECT_TRUE(made.has_value()) << said << made.error().message;
  }
}

TEST_F(HandshakeTest, RefusesAnyoneElseAndSaysWhoThatIs) {
  const auto sentinel = map_of({{"server", "redis"}, {"version", "8.0.0"}, {"mode", "sentinel"}});
  const auto nobody = map_of({{"proto", ":3"}});
  struct Case {
    Peer peer;
    std::string said;
    ErrorCode code;
    std::string_view words;
  };
  for (const auto& [peer, said, code, words] :
       {Case{Peer::primary, greeting("slave"), ErrorCode::unavailable, "this server is a replica"},
        Case{Peer::primary, sentinel, ErrorCode::invalid_argument, "set ConnectionOptions::sentinel"},
        Case{Peer::sentinel, greeting("master"), ErrorCode::invalid_argument, "this server is not a sentinel"},
        Case{Peer::sentinel, nobody, ErrorCode::invalid_argument, "this server is not a sentinel"},
        Case{Peer::node, "+OK\r\n", ErrorCode::unsupported_server, "does not say what the server is"},
        Case{Peer::primary, "+OK\r\n", ErrorCode::unsupported_server, "does not say what the server is"},
        Case{Peer::primary, "HTTP/1.1 400 Bad Request\r\n", ErrorCode::protocol, ""}}) {
    SCOPED_TRACE(said);
    const auto error = error_with(said, peer);
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_TRUE(error.message.contains(words)) << error.message;
  }
}

TEST_F(HandshakeTest, TellsWhyItIsRefusedByWhatItHasSaid) {
  const UserCredentials secret{.username = "web", .password = "secret"};
  struct Case {
    Peer peer;
    UserCredentials credentials;
    std::string_view words;
  };
  for (const auto& [peer, credentials, words] :
       {Case{Peer::primary, {}, "; set connection.password,"},
        Case{Peer::sentinel, {}, "; set connection.sentinel.password,"},
        Case{Peer::primary, secret, "although HELLO carried the user name and password of connection:"},
        Case{Peer::sentinel, secret, "although HELLO carried the user name and password of connection.sentinel:"}}) {
    const auto error = error_with("-NOAUTH Authentication required, web secret\r\n", peer, {}, credentials);
    EXPECT_EQ(error.code, ErrorCode::auth);
    EXPECT_TRUE(error.message.contains(words)) << error.message;
    EXPECT_FALSE(error.message.contains("secret")) << error.message;
  }
}

TEST_F(HandshakeTest, EndsWithTheErrorOfTheStepThatIsRefused) {
  const auto of_select =
      error_with(greeting("master") + "-ERR DB index is out of range\r\n", Peer::primary, {.database = 99});
  EXPECT_EQ(of_select.code, ErrorCode::invalid_argument);
  EXPECT_TRUE(of_select.message.contains("the server has no database 99")) << of_select.message;
  const auto of_readonly = error_with(greeting("slave") + "-NOPERM\r\n", Peer::replica, of_cluster);
  EXPECT_EQ(of_readonly.code, ErrorCode::permission);
  EXPECT_TRUE(of_readonly.message.contains(" to READONLY: ")) << of_readonly.message;
}

TEST_F(HandshakeTest, EndsWithTheErrorOfItsStreamInAnyStep) {
  ConnectionOptions of_replica = of_cluster;
  of_replica.database = 1;
  const std::vector<std::string> replies{greeting("slave"), "+OK\r\n"};
  for (std::size_t answered = 0; answered <= replies.size(); ++answered) {
    SCOPED_TRACE(answered);
    const auto answer = [&] {
      *script = {};
      script->pieces.assign(replies.begin(), replies.begin() + static_cast<std::ptrdiff_t>(answered));
    };
    answer();
    script->read_error = Error{ErrorCode::unavailable, "the server closed the connection"};
    const auto closed = handshake(of_replica, Peer::replica);
    ASSERT_FALSE(closed.has_value());
    EXPECT_EQ(closed.error().message.contains("if this port speaks TLS"), answered == 0) << closed.error().message;
    EXPECT_TRUE(closed.error().message.starts_with("the server closed the connection"));
    answer();
    script->says_ready = false;
    const auto silent = handshake(of_replica, Peer::replica);
    ASSERT_FALSE(silent.has_value());
    EXPECT_EQ(silent.error().code, ErrorCode::timeout) << silent.error().message;
  }
  script->write_error = Error{ErrorCode::unavailable, "the connection was lost"};
  EXPECT_EQ(handshake({}, Peer::primary).error().message, "the connection was lost");
}

TEST_F(HandshakeTest, SuggestsTlsOnlyWhereItIsNotUsedAndCouldBe) {
  for (const auto& [options, suggests] : {std::pair(ConnectionOptions{}, true),
                                          {ConnectionOptions{.unix_socket = "/run/redis.sock"}, false},
                                          {ConnectionOptions{.tls = {.enabled = true}}, false}}) {
    *script = {};
    script->read_error = Error{ErrorCode::unavailable, "the server closed the connection"};
    const auto closed = handshake(options, Peer::primary);
    ASSERT_FALSE(closed.has_value());
    EXPECT_EQ(closed.error().message.contains("use rediss://"), suggests) << closed.error().message;
  }
}

TEST_F(HandshakeTest, TellsWhatTheServerIs) {
  say({greeting("master")});
  auto made = connection();
  ASSERT_TRUE(made.handshake({}, {}, Peer::primary, far()).has_value());
  EXPECT_EQ(made.server().name(), "Valkey 9.1.2");
}

}}  // namespace obol::redis
