// Connection URIs: what is read, what is refused, and that no refusal repeats a password.
#include <gtest/gtest.h>

#include "obol/connection_options.hpp"

namespace obol { namespace {

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

TEST(ConnectionUri, ReadsSentinelsAndThePrimarysName) {
  const auto options = ConnectionOptions::from_uri(
                           "redis+sentinel://web:p%40ss@s1.example,[::1]:7000/my%2Fprimary/3?sentinel_username=watcher&"
                           "sentinel_password=s%26cret")
                           .value();
  EXPECT_EQ(options.username, "web");
  EXPECT_EQ(options.password, "p@ss");
  EXPECT_EQ(options.database, 3U);
  EXPECT_EQ(options.sentinel,
            (SentinelOptions{.primary_name = "my/primary",
                             .sentinels = {{.host = "s1.example", .port = 26379}, {.host = "::1", .port = 7000}},
                             .username = "watcher",
                             .password = "s&cret"}));
  EXPECT_TRUE(options.cluster.seeds.empty());
}

TEST(ConnectionUri, ReadsAClustersSeeds) {
  const auto options = ConnectionOptions::from_uri("rediss+cluster://:pw@a,b:7001?ca_file=/ca.pem").value();
  EXPECT_EQ(options.cluster, (ClusterOptions{.seeds = {{.host = "a", .port = 6379}, {.host = "b", .port = 7001}}}));
  EXPECT_EQ(options.password, "pw");
  EXPECT_TRUE(options.tls.enabled);
  EXPECT_EQ(options.tls.ca_file, "/ca.pem");
}

TEST(ConnectionUri, UsesTlsTowardsSentinelsAsTowardsServers) {
  const auto options = ConnectionOptions::from_uri("rediss+sentinel://s/p?server_name=redis.internal").value();
  EXPECT_TRUE(options.sentinel.tls.enabled);
  EXPECT_EQ(options.sentinel.tls, options.tls);
  EXPECT_FALSE(ConnectionOptions::from_uri("redis+sentinel://s/p")->sentinel.tls.enabled);
}

TEST(ConnectionUri, TakesValkeyAndUpperCaseInASchemeForTheSame) {
  for (const auto& [uri, same] : {std::pair("valkey://h", "redis://h"),
                                  {"valkeys://h?ca_file=/ca", "rediss://h?ca_file=/ca"},
                                  {"valkey+sentinel://s/p", "redis+sentinel://s/p"},
                                  {"valkeys+sentinel://s/p", "rediss+sentinel://s/p"},
                                  {"valkey+cluster://a,b", "redis+cluster://a,b"},
                                  {"valkeys+cluster://a,b", "rediss+cluster://a,b"},
                                  {"REDIS://h", "redis://h"},
                                  {"ValKeyS+Cluster://a", "rediss+cluster://a"},
                                  {"UNIX:///run/Redis.sock", "unix:///run/Redis.sock"}}) {
    const auto options = ConnectionOptions::from_uri(uri);
    ASSERT_TRUE(options.has_value()) << uri << options.error().message;
    EXPECT_EQ(*options, ConnectionOptions::from_uri(same).value()) << uri;
  }
  EXPECT_EQ(ConnectionOptions::from_uri("redis://Host")->host, "Host");
}

TEST(ConnectionUri, ReadsAUserWhoNeedsNoPassword) {
  const auto options = ConnectionOptions::from_uri("redis://web:@h").value();
  EXPECT_EQ(options.username, "web");
  EXPECT_EQ(options.password, "");
  EXPECT_NE(ConnectionOptions::from_uri("redis://web@h").error().message.find("user:@"), std::string::npos);
}

TEST(ConnectionUri, ReadsPasswordFiles) {
  const auto options = ConnectionOptions::from_uri(
                           "redis+sentinel://web@s/p?password_file=/run/a%26b&sentinel_username=watcher&"
                           "sentinel_password_file=/run/c")
                           .value();
  EXPECT_EQ(options.username, "web");
  EXPECT_EQ(options.password_file, "/run/a&b");
  EXPECT_EQ(options.sentinel.username, "watcher");
  EXPECT_EQ(options.sentinel.password_file, "/run/c");
}

TEST(ConnectionUri, ReadsAnAddressMap) {
  const auto options = ConnectionOptions::from_uri(
                           "redis+cluster://h?address_map=10.0.0.1:6379=localhost:7001,[fd00::1]=[::1]:7002&"
                           "address_map=%2A%3Dhost")
                           .value();
  const std::vector<AddressMapping> expected{
      {.announced = {.host = "10.0.0.1", .port = 6379}, .reachable = {.host = "localhost", .port = 7001}},
      {.announced = {.host = "fd00::1", .port = 0}, .reachable = {.host = "::1", .port = 7002}},
      {.announced = {.host = "*", .port = 0}, .reachable = {.host = "host", .port = 0}}};
  EXPECT_EQ(options.address_map, expected);
}

class RawPassword : public ::testing::TestWithParam<const char*> {};

TEST_P(RawPassword, LeadsToPercentEncodingAndIsNotRepeated) {
  const auto options = ConnectionOptions::from_uri(GetParam());
  ASSERT_FALSE(options.has_value());
  EXPECT_NE(options.error().message.find("write them percent-encoded"), std::string::npos) << options.error().message;
  EXPECT_EQ(options.error().message.find("hunter2"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Table, RawPassword,
                         ::testing::Values("redis://u:hunter2/x@h", "redis://u:hunter2?x@h", "redis://:hunter2/@h:1",
                                           "redis://u:7/hunter2@h", "redis://u:p@hunter2/x@h",
                                           "redis+sentinel://u:hunter2/x@s/p", "rediss+cluster://:hunter2?@a,b",
                                           "unix://:hunter2/x@/run/s", "valkey://u:hunter2#/x@h"));

TEST(ConnectionUri, TakesARawAtSignAndHashInAPasswordForWhatTheyCanOnlyBe) {
  EXPECT_EQ(ConnectionOptions::from_uri("redis://u:p@s#s@h")->password, "p@s#s");
}

TEST(ConnectionUri, SaysWhatToWriteInstead) {
  for (const auto& [uri, what] :
       {std::pair("/run/redis.sock", "unix:///path"),
        {"unix:/run/redis.sock", "unix:///path"},
        {"localhost:6379", "redis://host:port"},
        {"redis://h:six", "the form is redis://[user:password@]host[:port][/database]"},
        {"redis+sentinel://s", "the form is redis+sentinel://[user:password@]host[:port],.../primary_name"},
        {"rediss+cluster://a/1", "the form is rediss+cluster://[user:password@]host[:port],..."},
        {"unix://relative/path", "the form is unix://[user:password@]/path"},
        {"redis://hunter2@h", "a password without a user as :password@"},
        {"redis://a:1,b:2", "only redis+sentinel:// and redis+cluster:// take a list"},
        {"redis://::1", "in brackets, as [::1]"},
        {"redis://h?timeout=5", "known are client_name, db"},
        {"redis://h?ca_file=/ca", "ca_file is only for TLS"},
        {"redis://h?sentinel_password=x", "sentinel_password is only for Sentinel"},
        {"rediss://h?insecure_skip_verification=1", "neither true nor false"},
        {"redis+cluster://h?db=1", "only database 0"},
        {"redis://:x@h?password_file=/f", "leave one out"},
        {"redis://u:%zz@h", "written as %25"}}) {
    const auto message = ConnectionOptions::from_uri(uri).error().message;
    EXPECT_NE(message.find(what), std::string::npos) << uri << ": " << message;
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
}

class WrittenUri : public ::testing::TestWithParam<const char*> {};

TEST_P(WrittenUri, IsReadAsTheSameOptions) {
  const auto options = ConnectionOptions::from_uri(GetParam()).value();
  EXPECT_EQ(options.to_uri(Credentials::included), GetParam());
  EXPECT_EQ(ConnectionOptions::from_uri(options.to_uri(Credentials::included)).value(), options);
}

TEST_P(WrittenUri, ShowsNoCredentialsUnlessAskedTo) {
  const auto options = ConnectionOptions::from_uri(GetParam()).value();
  const auto uri = options.to_uri();
  for (const auto* secret : {"hunter2", "alice", "watcher"}) EXPECT_EQ(uri.find(secret), std::string::npos) << uri;
  auto expected = options;
  expected.username = expected.password = expected.sentinel.username = expected.sentinel.password = "";
  EXPECT_EQ(ConnectionOptions::from_uri(uri).value(), expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrittenUri,
    ::testing::Values("redis://localhost:6379", "redis://alice:hunter2%40@[::1]:7000?db=3&client_name=web",
                      "rediss://:hunter2@db.example:6379?ca_file=/ca.pem&certificate_file=/c.pem&"
                      "private_key_file=/k%20y.pem&server_name=redis.internal",
                      "rediss://h:1?insecure_skip_verification=true", "unix://:hunter2@/run/my%20redis.sock?db=2",
                      "redis://h:1?client_name=",
                      "redis+sentinel://alice:hunter2@s1:26379,[::1]:7000/my%2Fprimary?db=3&sentinel_username=watcher&"
                      "sentinel_password=hunter2%26",
                      "rediss+sentinel://s1:26379/sessions?ca_file=/ca.pem",
                      "redis+cluster://alice:hunter2@a:6379,[fe80::1%25eth0]:7001,c.example:7002",
                      "rediss+cluster://a:6379?client_name=web&ca_file=/ca.pem", "redis://alice:@h:1",
                      "redis://alice@h:1?password_file=/run/a%26b", "redis://h:1?password_file=/run/password",
                      "redis+sentinel://s1:26379/p?sentinel_username=watcher&sentinel_password=",
                      "redis+sentinel://s1:26379/p?sentinel_username=watcher&sentinel_password_file=/run/s",
                      "redis+cluster://a:1?address_map=10.0.0.1:6379=localhost:7001,*=[::1],[fe80::1%25eth0]:1=b:2"));

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
  EXPECT_TRUE(options.error().message.contains("://")) << options.error().message;
  EXPECT_EQ(options.error().message.find("hunter2"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedUri,
    ::testing::Values("", "localhost", "http://localhost", "redis://h?ca_file=/ca.pem",
                      "rediss://:hunter2@h?insecure_skip_verification=yes", "redis-socket:///x", "redis://",
                      "redis://:hunter2@", "redis://h:0", "redis://h:65536", "redis://h:six", "redis://h/one",
                      "redis://h/-1", "redis://h/1/2", "redis://h?timeout=5", "redis://u:hunter2@h?hunter2=1",
                      "redis://h?db=x", "redis://u@h", "redis://u:%zz@h", "redis://u:%00@h", "redis://u:%4@h",
                      "redis://[::1", "redis://[::1]x", "unix://", "unix:///", "unix://relative/path",
                      "redis+sentinel://s", "redis+sentinel://s/", "redis+sentinel://s//1", "redis+sentinel:///p",
                      "redis+sentinel://s,/p", "redis+sentinel://s/p/x", "redis+sentinel://s/p?sentinel_username=u",
                      "redis://h?sentinel_password=hunter2", "redis+sentinel://s/p?ca_file=/ca", "redis+cluster://",
                      "redis+cluster://a,,b", "redis+cluster://a:0", "redis+cluster://a/1", "redis+cluster://a?db=1",
                      "redis+cluster://u:hunter2@a?sentinel_password=x", "redis://:hunter2@h?password_file=/f",
                      "redis://u:@h?password_file=/f",
                      "redis+sentinel://s/p?sentinel_password=hunter2&sentinel_password_file=/f",
                      "redis+sentinel://s/p?sentinel_username=u", "redis://h?address_map=", "redis://h?address_map=a",
                      "redis://h?address_map=a=", "redis://h?address_map=a=b=c", "redis://h?address_map=a:0=b",
                      "redis://h?address_map=a=b,", "redis://h?address_map=[::1=b", "valkeyx://h", "valkeyss://h",
                      "redis://h?sentinel_password_file=/f", "redis+ring://a", "unix+cluster://a", "redis+sentinel"));

}}  // namespace obol
