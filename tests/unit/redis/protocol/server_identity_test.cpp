// What INFO says about the server's identity.
#include "redis/protocol/server_identity.hpp"

#include <gtest/gtest.h>

#include <string>

namespace obol::testing { namespace {

using redis::Reply;

constexpr std::string_view run_id = "run_id:1f3c5a7e9b2d4f60718293a4b5c6d7e8f9a0b1c2";

Result<redis::ServerIdentity> answer(std::string_view text, Reply::Kind kind = Reply::Kind::text) {
  Reply reply;
  reply.kind = kind;
  reply.text = text;
  return redis::identity_answer(reply);
}

TEST(ServerIdentity, IsTheBeginningOfTheRunId) {
  const auto info = "# Server\r\nredis_version:8.0.6\r\n" + std::string(run_id) + "\r\ntcp_port:6379\r\n";
  const auto identity = answer(info);
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_TRUE(identity->is_known());
  EXPECT_EQ(*identity, redis::ServerIdentity(0x1f3c5a7e9b2d4f60));
}

TEST(ServerIdentity, IsUnknownWhereTheServerDoesNotTell) {
  EXPECT_FALSE(redis::ServerIdentity().is_known());
  for (const std::string info : {"", "# Server\r\n", "# Server\r\nrun_id:\r\n", "# Server\r\nrun_id:1f3c5a7e\r\n",
                                 "# Server\r\nrun_id:not-a-number-in-hexadecimal\r\n",
                                 "# Server\r\nrun_id:0000000000000000000000000000000000000000\r\n"}) {
    const auto identity = answer(info);
    ASSERT_FALSE(identity.has_value()) << info;
    EXPECT_EQ(identity.error().code, ErrorCode::unsupported_server);
  }
}

TEST(ServerIdentity, NeedsARightThatTheErrorNames) {
  const auto identity = answer("NOPERM User web has no permissions to run the 'info' command", Reply::Kind::error);
  ASSERT_FALSE(identity.has_value());
  EXPECT_EQ(identity.error().code, ErrorCode::permission);
  EXPECT_NE(identity.error().message.find("+info"), std::string::npos);
}

}}  // namespace obol::testing
