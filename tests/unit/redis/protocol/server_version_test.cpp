// What a server's reply to HELLO says of it, and whether it is one that Obol is tested on.
#include "redis/protocol/server_version.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/replies.hpp"

namespace obol::redis { namespace {

using testing::number;
using testing::text;

struct Case {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  std::string_view name;
  bool is_tested;
};

TEST(ServerVersion, IsThatOfTheTestedServersFromTheirReleasesOn) {
  for (const auto& [fields, name, is_tested] :
       {Case{{{"server", "redis"}, {"version", "8.0.0"}}, "Redis 8.0.0", true},
        Case{{{"server", "redis"}, {"version", "10.2"}}, "Redis 10.2", true},
        Case{{{"server", "valkey"}, {"version", "9.0.0"}}, "Valkey 9.0.0", true},
        Case{{{"version", "9.0.0"}, {"tier", "gold"}, {"server", "valkey"}}, "Valkey 9.0.0", true},
        Case{{{"server", "redis"}, {"version", "7.4.0"}}, "Redis 7.4.0", false},
        Case{{{"server", "valkey"}, {"version", "8.1.0"}}, "Valkey 8.1.0", false},
        Case{{{"server", "redis"}, {"version", ""}}, "Redis", false},
        Case{{{"server", "redis"}, {"version", "x.y"}}, "Redis x.y", false},
        Case{{{"server", "redis"}}, "Redis", false},
        Case{{{"server", "dragonfly"}, {"version", "9.1"}}, "dragonfly 9.1", false},
        Case{{{"server", "a\r\nb \x1b[1m"}, {"version", "8\n"}}, "a??b??[1m 8?", false},
        Case{{{"version", "9.0"}}, "unknown server 9.0", false}, Case{{}, "unknown server", false}}) {
    Reply hello{.kind = Reply::Kind::map};
    for (const auto& [key, value] : fields) {
      hello.elements.push_back(text(key));
      hello.elements.push_back(text(value));
    }
    const auto version = server_version_in(hello);
    ASSERT_TRUE(version.has_value());
    EXPECT_EQ(version->name(), name);
    EXPECT_EQ(version->is_tested(), is_tested) << name;
  }
}

TEST(ServerVersion, IsCutAndTakenFromTextsOnly) {
  const std::string long_text(100, '8');
  auto version = server_version_in(
      testing::reply_of(Reply::Kind::map, text("server"), text(long_text), text("version"), text(long_text)));
  EXPECT_EQ(version.value().name().size(), 65U);
  version =
      server_version_in(testing::reply_of(Reply::Kind::map, text("server"), number(1), text("version"), number(9)));
  EXPECT_EQ(version.value().name(), "unknown server");
}

TEST(ServerVersion, IsOfNoOtherReply) {
  for (const auto& reply : {text("OK"), number(1), testing::list(text("server"), text("redis"))}) {
    const auto version = server_version_in(reply);
    ASSERT_FALSE(version.has_value());
    EXPECT_EQ(version.error().code, ErrorCode::unsupported_server);
    EXPECT_TRUE(version.error().message.contains("needs Redis 8.0 or newer, or Valkey 9.0")) << version.error().message;
  }
}

}}  // namespace obol::redis
