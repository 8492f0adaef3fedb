// Error replies: what the caller is told and what the store does, by the first word alone.
#include "redis/reply_error.hpp"

#include <gtest/gtest.h>

#include "redis/server_version.hpp"

namespace obol::redis {
namespace {

Reply error_reply(std::string text) {
  Reply reply;
  reply.kind = Reply::Kind::error;
  reply.text = std::move(text);
  return reply;
}

struct Case {
  const char* text;
  Remedy remedy;
  ErrorCode code;
};

class ErrorReply : public ::testing::TestWithParam<Case> {};

TEST_P(ErrorReply, IsClassified) {
  const auto reply = error_reply(GetParam().text);
  EXPECT_EQ(remedy_for(reply), GetParam().remedy);
  EXPECT_EQ(error_of(reply).code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ErrorReply,
    ::testing::Values(Case{"READONLY You can't write against a read only replica.", Remedy::reconnect,
                           ErrorCode::unavailable},
                      Case{"READONLY", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"LOADING Redis is loading the dataset in memory", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"MASTERDOWN Link with MASTER is down", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"CLUSTERDOWN Hash slot not served", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"TRYAGAIN Multiple keys request", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"BUSY Redis is busy running a script", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"ERR max number of clients reached", Remedy::reconnect, ErrorCode::unavailable},
                      Case{"ERR Function not found", Remedy::load_functions, ErrorCode::unsupported_server},
                      Case{"OOM command not allowed", Remedy::fail, ErrorCode::out_of_memory},
                      Case{"MISCONF Redis is configured", Remedy::fail, ErrorCode::server},
                      Case{"NOREPLICAS Not enough good replicas", Remedy::fail, ErrorCode::server},
                      Case{"NOAUTH Authentication required.", Remedy::fail, ErrorCode::auth},
                      Case{"WRONGPASS invalid username-password pair", Remedy::fail, ErrorCode::auth},
                      Case{"NOPERM User x has no permissions", Remedy::fail, ErrorCode::permission},
                      Case{"ERR ACL failure in script: NOPERM", Remedy::fail, ErrorCode::permission},
                      Case{"MOVED 3999 127.0.0.1:6381", Remedy::fail, ErrorCode::unsupported_server},
                      Case{"WRONGTYPE Operation against a key", Remedy::fail, ErrorCode::server},
                      Case{"ERR something new", Remedy::fail, ErrorCode::server}));

TEST(ErrorReplyMessage, NeverRepeatsWhatTheServerQuotes) {
  EXPECT_EQ(error_of(error_reply("ERR unknown command 'secret'")).message.find("secret"), std::string::npos);
}

Result<ServerVersion> version_of(std::string server, std::string version) {
  Reply hello;
  hello.kind = Reply::Kind::map;
  for (auto& text : {std::string("server"), server, std::string("version"), version}) {
    auto& element = hello.elements.emplace_back();
    element.kind = Reply::Kind::text;
    element.text = text;
  }
  return check_server_version(hello);
}

TEST(ServerVersion, IsAcceptedFromRedis8AndValkey9) {
  EXPECT_EQ(version_of("redis", "8.0.0").value().name(), "Redis 8.0.0");
  EXPECT_EQ(version_of("redis", "10.2").value().name(), "Redis 10.2");
  EXPECT_EQ(version_of("valkey", "9.0.0").value().name(), "Valkey 9.0.0");
}

TEST(ServerVersion, BelowIsUnsupportedAndSaysWhatWasFound) {
  for (const auto& [server, version, name] :
       {std::tuple("redis", "7.0.15", "Redis 7.0.15"), std::tuple("valkey", "8.1.0", "Valkey 8.1.0"),
        std::tuple("redis", "", "Redis "), std::tuple("redis", "x.y", "Redis x.y")}) {
    const auto result = version_of(server, version);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::unsupported_server);
    EXPECT_TRUE(result.error().message.starts_with(name)) << result.error().message;
    EXPECT_NE(result.error().message.find("found; Obol needs Redis 8.0"), std::string::npos);
  }
}

}  // namespace
}  // namespace obol::redis
