// Every path through the handshake, and every reply that ends it.
#include "redis/core/handshake_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/replies.hpp"
#include "support/scripted_connection.hpp"

namespace obol::redis { namespace {

using testing::bytes_of;
using testing::greeting;
using testing::map_of;
using testing::parsed;

ConnectionOptions options_of(bool is_in_cluster, std::uint32_t database) {
  ConnectionOptions options{.database = database, .client_name = {}};
  if (is_in_cluster) options.cluster.seeds.push_back({.host = "seed", .port = 6379});
  return options;
}

const std::string hello_3 = bytes_of({{"HELLO", "3"}});
const std::string readonly = bytes_of({{"READONLY"}});
const std::string role = bytes_of({{"ROLE"}});
const std::string select_7 = bytes_of({{"SELECT", "7"}});

struct Path {
  Peer peer;
  bool is_in_cluster;
  std::uint32_t database;
  std::string greeting;
  std::vector<std::string> sent;
};

std::vector<Path> paths() {
  const auto of_sentinel = map_of({{"server", "redis"}, {"version", "6.2.0"}, {"mode", "sentinel"}});
  const auto without_role = map_of({{"server", "redis"}, {"mode", "standalone"}});
  return {{Peer::primary, false, 0, greeting("master"), {hello_3}},
          {Peer::primary, false, 7, without_role, {hello_3, role, select_7}},
          {Peer::replica, false, 0, without_role, {hello_3}},
          {Peer::primary, false, 7, greeting("master"), {hello_3, select_7}},
          {Peer::primary, true, 0, greeting("master", "cluster"), {hello_3}},
          {Peer::replica, false, 0, greeting("slave"), {hello_3}},
          {Peer::replica, false, 7, greeting("slave"), {hello_3, select_7}},
          {Peer::replica, true, 0, greeting("slave", "cluster"), {hello_3, readonly}},
          {Peer::replica, true, 7, greeting("slave", "cluster"), {hello_3, readonly, select_7}},
          {Peer::replica, true, 0, greeting("master", "cluster"), {hello_3, readonly}},
          {Peer::node, false, 7, greeting("slave"), {hello_3}},
          {Peer::node, true, 0, greeting("slave", "cluster"), {hello_3}},
          {Peer::sentinel, false, 7, of_sentinel, {hello_3}},
          {Peer::sentinel, true, 0, of_sentinel, {hello_3}}};
}

/// The reply to the step that sends this.
std::string accepting(const Path& path, std::size_t step) { return step == 0 ? path.greeting : "+OK\r\n"; }

TEST(HandshakeMachine, TakesEachPathToItsEndAndNoFurther) {
  for (const auto& path : paths()) {
    HandshakeMachine machine(options_of(path.is_in_cluster, path.database), path.peer);
    std::optional<Command> next = machine.begin({});
    for (std::size_t step = 0; step < path.sent.size(); ++step) {
      ASSERT_TRUE(next.has_value()) << step;
      EXPECT_EQ(next->bytes(), path.sent[step]);
      auto taken = machine.take(parsed(accepting(path, step)));
      ASSERT_TRUE(taken.has_value()) << taken.error().message;
      next = std::move(*taken);
    }
    EXPECT_FALSE(next.has_value()) << next->bytes();
    const auto further = machine.take(parsed("+OK\r\n"));
    ASSERT_FALSE(further.has_value());
    EXPECT_EQ(further.error().code, ErrorCode::protocol);
  }
}

TEST(HandshakeMachine, HasLearntWhoTheServerIs) {
  HandshakeMachine machine({}, Peer::primary);
  machine.begin({});
  ASSERT_TRUE(machine.take(parsed(greeting("master", "standalone", 12))).has_value());
  EXPECT_EQ(machine.introduction().peer, Peer::primary);
  EXPECT_EQ(machine.introduction().server.name(), "Valkey 9.1.2");
  EXPECT_EQ(machine.introduction().client_id, 12);
}

TEST(HandshakeMachine, TakesNoReplyBeforeItHasBegun) {
  HandshakeMachine machine({}, Peer::primary);
  const auto taken = machine.take(parsed(greeting("master")));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, ErrorCode::protocol);
}

// Without a right, or on a server that does not know it, the role stays untold.
const std::vector<std::string_view> refusals_of_role_that_pass{
    "-NOPERM", "-ERR unknown", "-MOVED", "-ASK", "-OOM", "-MISCONF", "-NOREPLICAS", "-WRONGPASS", "-DENIED"};

struct Refusal {
  std::string_view reply;
  ErrorCode code;
};

const Refusal refusals_of_any_step[] = {
    {"-LOADING Redis is loading the dataset in memory\r\n", ErrorCode::unavailable},
    {"-MASTERDOWN Link with MASTER is down\r\n", ErrorCode::unavailable},
    {"-BUSY Redis is busy running a script\r\n", ErrorCode::unavailable},
    {"-CLUSTERDOWN The cluster is down\r\n", ErrorCode::unavailable},
    {"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", ErrorCode::unavailable},
    {"-READONLY You can't write against a read only replica.\r\n", ErrorCode::unavailable},
    {"-ERR max number of clients reached\r\n", ErrorCode::unavailable},
    {"-MOVED 1 127.0.0.1:6380\r\n", ErrorCode::unsupported_server},
    {"-ASK 1 127.0.0.1:6380\r\n", ErrorCode::unsupported_server},
    {"-NOAUTH Authentication required.\r\n", ErrorCode::auth},
    {"-WRONGPASS invalid username-password pair or user is disabled.\r\n", ErrorCode::auth},
    {"-DENIED Redis is running in protected mode\r\n", ErrorCode::auth},
    {"-NOPERM this user has no permissions to run the command\r\n", ErrorCode::permission},
    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", ErrorCode::out_of_memory},
    {"-MISCONF Redis is configured to save RDB snapshots\r\n", ErrorCode::server},
    {"-NOREPLICAS Not enough good replicas to write.\r\n", ErrorCode::server},
    {"-ERR unknown command 'HELLO'\r\n", ErrorCode::unsupported_server},
};

const Refusal refusals_of_hello[] = {
    {"-NOPROTO unsupported protocol version\r\n", ErrorCode::unsupported_server},
    {"-UNKILLABLE Sorry the script already executed write commands\r\n", ErrorCode::server},
};
const Refusal refusals_of_readonly[] = {
    {"-ERR This instance has cluster support disabled\r\n", ErrorCode::server},
};
const Refusal refusals_of_select[] = {
    {"-ERR DB index is out of range\r\n", ErrorCode::invalid_argument},
    {"-ERR SELECT is not allowed in cluster mode\r\n", ErrorCode::invalid_argument},
};

/// Goes the path up to that step, which is refused.
void refuse(const Path& path, std::size_t refused, const Refusal& refusal) {
  SCOPED_TRACE(std::string(refusal.reply) + " to " + path.sent[refused]);
  HandshakeMachine machine(options_of(path.is_in_cluster, path.database), path.peer);
  machine.begin({});
  for (std::size_t step = 0; step < refused; ++step) ASSERT_TRUE(machine.take(parsed(accepting(path, step))));
  const auto taken = machine.take(parsed(refusal.reply));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, refusal.code) << taken.error().message;
  EXPECT_EQ(machine.take(parsed(path.greeting)).error().code, ErrorCode::protocol) << "it has ended";
}

TEST(HandshakeMachine, EndsWithTheErrorOfTheStepThatIsRefused) {
  for (const auto& path : paths()) {
    for (std::size_t step = 0; step < path.sent.size(); ++step) {
      for (const auto& refusal : refusals_of_any_step) {
        const auto is_of = [&](std::string_view beginning) { return refusal.reply.starts_with(beginning); };
        if (path.sent[step] == role && std::ranges::any_of(refusals_of_role_that_pass, is_of)) continue;
        refuse(path, step, refusal);
      }
      if (path.sent[step] == role) continue;
      if (path.sent[step] == hello_3) {
        for (const auto& refusal : refusals_of_hello) refuse(path, step, refusal);
      } else if (path.sent[step] == readonly) {
        for (const auto& refusal : refusals_of_readonly) refuse(path, step, refusal);
      } else {
        for (const auto& refusal : refusals_of_select) refuse(path, step, refusal);
      }
    }
  }
}

TEST(HandshakeMachine, EndsIfTheGreetingIsAnotherReply) {
  for (const auto* said : {"+OK\r\n", ":1\r\n", "_\r\n", "*0\r\n", "$5\r\nhello\r\n"}) {
    for (const auto peer : {Peer::primary, Peer::replica, Peer::node, Peer::sentinel}) {
      SCOPED_TRACE(said);
      HandshakeMachine machine({}, peer);
      machine.begin({});
      const auto taken = machine.take(parsed(said));
      ASSERT_FALSE(taken.has_value());
      EXPECT_EQ(taken.error().code,
                peer == Peer::sentinel ? ErrorCode::invalid_argument : ErrorCode::unsupported_server);
    }
  }
}

}}  // namespace obol::redis
