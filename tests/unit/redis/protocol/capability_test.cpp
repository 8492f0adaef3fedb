// What the replies to the probe say of a server that Obol is not tested on.
#include "redis/protocol/capability.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "redis/protocol/server_time.hpp"
#include "support/replies.hpp"

namespace obol::redis { namespace {

using testing::list;
using testing::nil;
using testing::number;
using testing::text;

Reply error(std::string_view words) { return {.kind = Reply::Kind::error, .text = words}; }

const ServerVersion server{.kind = "kin", .version = "1.2"};

std::vector<Capability> needed() {
  return {{"HSETEX with FNX and PXAT", Command{"HSETEX", "key"}, Reply::Kind::integer},
          {"CONFIG of anything", Command{"CONFIG", "GET", "*"}}};
}

Result<void> check(Reply first, Reply second) {
  std::vector<Reply> replies;
  replies.push_back(std::move(first));
  replies.push_back(std::move(second));
  return check_capabilities(server, needed(), replies);
}

struct Case {
  std::string_view said;  ///< To HSETEX.
  std::error_code code;
  std::string_view words;
};

TEST(Capability, IsJudgedByTheErrorThatTheServerSays) {
  const auto lacking = ErrorCode::unsupported_server;
  for (const auto& [said, code, words] : {
           // It is unknown, or kept from this user.
           Case{"ERR unknown command 'HSETEX', with args beginning with: 'key'", lacking, "lacks HSETEX ("},
           Case{"ERR Command is not available: 'HSETEX'. See docs", lacking, "lacks HSETEX ("},
           Case{"unsupported command 'HSETEX'", lacking, "lacks HSETEX ("},
           Case{"ERR command not supported", lacking, "lacks HSETEX ("},
           // It is known, but does something else.
           Case{"ERR value is not an integer or out of range", lacking, "lacks HSETEX with FNX and PXAT ("},
           Case{"ERR syntax error", lacking, "lacks HSETEX with FNX and PXAT ("},
           Case{"ERR wrong number of arguments for 'hsetex' command", lacking, "lacks HSETEX with FNX and PXAT ("},
           // It is known, and refused for a reason that its call will tell.
           Case{"NOPERM User web has no permissions to run the 'hsetex' command", {}, ""},
           Case{"NOPERM No permissions to access a key", {}, ""},
           Case{"OOM command not allowed when used memory > 'maxmemory'.", {}, ""},
           Case{"ERR Out of memory", {}, ""},
           Case{"MISCONF Redis is configured to save RDB snapshots", {}, ""},
           Case{"NOREPLICAS Not enough good replicas to write.", {}, ""},
           Case{"WRONGTYPE Operation against a key holding the wrong kind of value", {}, ""},
           Case{"ERR invalid expire time in 'hsetex' command", {}, ""},
           // The server cannot say now, or is another one than it should be.
           Case{"READONLY You can't write against a read only replica.", ErrorCode::unavailable, "replica"},
           Case{"LOADING Redis is loading the dataset in memory", ErrorCode::unavailable, "loading"},
           Case{"MASTERDOWN Link with MASTER is down", ErrorCode::unavailable, "primary"},
           Case{"CLUSTERDOWN The cluster is down", ErrorCode::unavailable, "cluster"},
           Case{"BUSY Redis is busy running a script.", ErrorCode::unavailable, "busy"},
           Case{"NOAUTH Authentication required.", ErrorCode::auth, "authenticated"},
           Case{"MOVED 3999 127.0.0.1:6381", lacking, "redis+cluster://"},
       }) {
    SCOPED_TRACE(said);
    const auto checked = check(error(said), text("anything"));
    EXPECT_EQ(checked ? std::error_code() : checked.error().code, code);
    if (checked) continue;
    EXPECT_TRUE(checked.error().message.contains(words)) << checked.error().message;
  }
}

TEST(Capability, IsMissingIfTheReplyIsNotUnderstood) {
  const std::vector<Capability> time{
      {"TIME", Command{"TIME"}, Reply::Kind::list, [](const Reply& reply) { return server_time(reply).has_value(); }}};
  const auto is_shown_by = [&](Reply reply) {
    std::vector<Reply> replies;
    replies.push_back(std::move(reply));
    return check_capabilities(server, time, replies).has_value();
  };
  EXPECT_TRUE(is_shown_by(list(text("1700000000"), text("999999"))));
  EXPECT_TRUE(is_shown_by(list(number(1'700'000'000), number(999'999))));
  EXPECT_FALSE(is_shown_by(list(text("now"), text("1"))));
  EXPECT_FALSE(is_shown_by(list(nil(), nil())));
  EXPECT_FALSE(is_shown_by(list()));
}

TEST(Capability, IsMissingIfTheReplyIsOfAnotherKind) {
  EXPECT_TRUE(check(number(1), list()).has_value());
  EXPECT_TRUE(check(number(0), nil()).has_value());
  for (auto* const make : {+[] { return text("OK"); }, +[] { return nil(); }, +[] { return list(number(1)); }}) {
    const auto checked = check(make(), list());
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code, ErrorCode::unsupported_server);
    EXPECT_TRUE(checked.error().message.contains("lacks HSETEX with FNX and PXAT (")) << checked.error().message;
  }
}

TEST(Capability, ThatIsMissingIsNamedWithAllOthersAndWithWhatTheServerCallsItself) {
  const auto checked = check(error("ERR unknown command"), error("ERR unknown command"));
  ASSERT_FALSE(checked.has_value());
  EXPECT_TRUE(checked.error().message.starts_with("kin 1.2 found, which lacks HSETEX, CONFIG GET ("))
      << checked.error().message;
}

TEST(Capability, IsNotToldOfAServerThatCannotServeNow) {
  const auto checked = check(error("ERR unknown command"), error("LOADING Redis is loading"));
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, ErrorCode::unavailable);
}

}}  // namespace obol::redis
