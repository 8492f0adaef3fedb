// Connection URIs: what is read, what is refused, and that no refusal repeats a password.
#include <gtest/gtest.h>

#include "obol/redis_options.hpp"

namespace obol {
namespace {

TEST(ConnectionUri, ReadsHostPortDatabaseAndCredentials) {
  const auto options = ConnectionOptions::from_uri("redis://alice:p%40ss@db.example:7000/3?client_name=web").value();
  EXPECT_EQ(options.host, "db.example");
  EXPECT_EQ(options.port, 7000);
  EXPECT_EQ(options.username, "alice");
  EXPECT_EQ(options.password, "p@ss");
  EXPECT_EQ(options.database, 3U);
  EXPECT_EQ(options.client_name, "web");
}

TEST(ConnectionUri, DefaultsToPort6379AndDatabase0) {
  for (const auto* uri : {"redis://localhost", "redis://localhost/"}) {
    const auto options = ConnectionOptions::from_uri(uri).value();
    EXPECT_EQ(options.port, 6379);
    EXPECT_EQ(options.database, 0U);
    EXPECT_TRUE(options.password.empty());
  }
}

TEST(ConnectionUri, ReadsAPasswordWithoutAUser) {
  const auto options = ConnectionOptions::from_uri("redis://:secret@localhost").value();
  EXPECT_EQ(options.username, "");
  EXPECT_EQ(options.password, "secret");
}

TEST(ConnectionUri, ReadsAnIpv6AddressInBrackets) {
  const auto options = ConnectionOptions::from_uri("redis://[::1]:7001").value();
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.port, 7001);
}

TEST(ConnectionUri, ReadsAUnixSocketPath) {
  const auto options = ConnectionOptions::from_uri("unix://:pw@/run/my%20redis.sock?db=2").value();
  EXPECT_EQ(options.unix_socket, "/run/my redis.sock");
  EXPECT_EQ(options.password, "pw");
  EXPECT_EQ(options.database, 2U);
}

TEST(ConnectionUri, ReadsTlsWithItsFiles) {
  const auto options = ConnectionOptions::from_uri(
                           "rediss://db.example?ca_file=/ca.pem&certificate_file=/c.pem&private_key_file=/k.pem&"
                           "server_name=redis.internal")
                           .value();
  EXPECT_TRUE(options.tls.enabled);
  EXPECT_EQ(options.tls.ca_file, "/ca.pem");
  EXPECT_EQ(options.tls.certificate_file, "/c.pem");
  EXPECT_EQ(options.tls.private_key_file, "/k.pem");
  EXPECT_EQ(options.tls.server_name, "redis.internal");
  EXPECT_FALSE(options.tls.insecure_skip_verification);
  EXPECT_TRUE(
      ConnectionOptions::from_uri("rediss://h?insecure_skip_verification=true")->tls.insecure_skip_verification);
  EXPECT_FALSE(ConnectionOptions::from_uri("redis://h")->tls.enabled);
}

TEST(ConnectionUri, WithAZeroByteIsRefusedAsItsEncodingIs) {
  using namespace std::string_view_literals;
  for (const auto uri : {"redis://local\0host"sv, "redis://u:p\0w@h"sv, "unix:///run/\0redis.sock"sv}) {
    EXPECT_FALSE(ConnectionOptions::from_uri(uri).has_value());
  }
}

class RefusedUri : public ::testing::TestWithParam<const char*> {};

TEST_P(RefusedUri, IsAnInvalidArgumentThatSaysWhatIsAllowedAndKeepsThePasswordSecret) {
  const auto options = ConnectionOptions::from_uri(GetParam());
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(options.error().message.find("redis://[user[:password]@]host"), std::string::npos);
  EXPECT_EQ(options.error().message.find("hunter2"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Table, RefusedUri,
                         ::testing::Values("", "localhost", "http://localhost", "redis://h?ca_file=/ca.pem",
                                           "rediss://:hunter2@h?insecure_skip_verification=yes", "redis-socket:///x",
                                           "redis://", "redis://:hunter2@", "redis://h:0", "redis://h:65536",
                                           "redis://h:six", "redis://h/one", "redis://h/-1", "redis://h/1/2",
                                           "redis://h?timeout=5", "redis://u:hunter2@h?hunter2=1", "redis://h?db=x",
                                           "redis://u@h", "redis://u:%zz@h", "redis://u:%00@h", "redis://u:%4@h",
                                           "redis://[::1", "redis://[::1]x", "unix://", "unix:///",
                                           "unix://relative/path"));

}  // namespace
}  // namespace obol
