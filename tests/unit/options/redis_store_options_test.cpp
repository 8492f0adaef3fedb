// RedisStore options: everything out of bounds is refused by name before anything is sent.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "obol/redis_store.hpp"

namespace obol { namespace {

struct Case {
  const char* name;
  std::function<void(RedisStoreOptions&)> spoil;
};

class RefusedOptions : public ::testing::TestWithParam<Case> {};

TEST_P(RefusedOptions, AreAnInvalidArgumentThatNamesTheOption) {
  RedisStoreOptions options;
  options.connection.unix_socket = "/nonexistent/socket";
  options.keyring = Keyring(SigningKey::from_bytes(std::string(32, 'k')).value());
  GetParam().spoil(options);
  const auto store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::invalid_argument) << store.error().message;
  EXPECT_NE(store.error().message.find(GetParam().name), std::string::npos) << store.error().message;
}

using Options = RedisStoreOptions;
using std::chrono::milliseconds;

Result<UserCredentials> provider() { return UserCredentials{}; }

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedOptions,
    ::testing::Values(
        Case{"pool.size", [](Options& o) { o.pool.size = 0; }},
        Case{"pool.size", [](Options& o) { o.pool.size = 1'000'000; }},
        Case{"pool.max_overflow", [](Options& o) { o.pool.max_overflow = 1'000'000; }},
        Case{"pool.checkout_timeout", [](Options& o) { o.pool.checkout_timeout = milliseconds(-1); }},
        Case{"pool.idle_limit", [](Options& o) { o.pool.idle_limit = milliseconds(0); }},
        Case{"pool.lifetime_limit", [](Options& o) { o.pool.lifetime_limit = milliseconds(-5); }},
        Case{"pool.busy_wait", [](Options& o) { o.pool.busy_wait = std::chrono::microseconds(-1); }},
        Case{"pool.busy_wait", [](Options& o) { o.pool.busy_wait = std::chrono::microseconds(1001); }},
        Case{"timeouts.connect", [](Options& o) { o.timeouts.connect = milliseconds(0); }},
        Case{"timeouts.command", [](Options& o) { o.timeouts.command = milliseconds(-1); }},
        Case{"timeouts.total", [](Options& o) { o.timeouts.total = milliseconds::max(); }},
        Case{"key_prefix", [](Options& o) { o.key_prefix = "a{b"; }},
        Case{"key_prefix", [](Options& o) { o.key_prefix = "}"; }},
        Case{"key_prefix", [](Options& o) { o.key_prefix = std::string(65, 'a'); }},
        Case{"keyring", [](Options& o) { o.keyring = {}; }}, Case{"clock", [](Options& o) { o.clock = nullptr; }},
        Case{"policy.max_sessions", [](Options& o) { o.policy.max_sessions = 1001; }},
        Case{"policy.max_sessions is 64, and that many sessions of max_payload_bytes (1048576) take up to "
             "67371008 bytes, but max_reply_bytes is 67108864",
             [](Options& o) { o.policy.max_sessions = 64; }},
        Case{"policy.max_sessions is 100, and that many sessions of max_payload_bytes (4096)",
             [](Options& o) {
               o.policy.max_sessions = 100;
               o.max_payload_bytes = 4096;
               o.max_reply_bytes = 100 * 4096;
             }},
        Case{"policy.revocation_mark_lifetime",
             [](Options& o) { o.policy.revocation_mark_lifetime = std::chrono::seconds(-1); }},
        Case{"policy.revocation_mark_lifetime", [](Options& o) { o.policy.mark_on_delete_others = true; }},
        Case{"policy.revocation_mark_lifetime", [](Options& o) { o.policy.mark_on_rotate_id = true; }},
        Case{"delete_durability.replicas", [](Options& o) { o.delete_durability.replicas = 101; }},
        Case{"delete_durability.timeout",
             [](Options& o) { o.delete_durability = {.replicas = 1, .timeout = o.timeouts.command}; }},
        Case{"replica_reads.max_lag",
             [](Options& o) { o.replica_reads = {.enabled = true, .max_lag = std::chrono::seconds(1)}; }},
        Case{"connection.tls", [](Options& o) { o.connection.tls.enabled = true; }},
        Case{"connection.tls",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.tls = {.enabled = true, .certificate_file = "/cert.pem"};
             }},
        Case{"connection.tls",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.tls = {.enabled = true, .ca_file = "/ca.pem", .insecure_skip_verification = true};
             }},
        Case{"pool.max_waiting", [](Options& o) { o.pool.max_waiting = 0; }},
        Case{"near_cache.max_bytes", [](Options& o) { o.near_cache = {.enabled = true, .max_bytes = 1000}; }},
        Case{"near_cache.max_staleness",
             [](Options& o) { o.near_cache = {.enabled = true, .max_staleness = std::chrono::milliseconds(29)}; }},
        Case{"max_reply_bytes", [](Options& o) { o.max_reply_bytes = 1000; }},
        Case{"max_payload_bytes", [](Options& o) { o.max_payload_bytes = ~std::size_t{0}; }},
        Case{"connection.unix_socket", [](Options& o) { o.connection.unix_socket = std::string(200, 'a'); }},
        Case{"connection.port",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.port = 0;
             }},
        Case{"connection.host",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.host.clear();
             }},
        Case{"connection.sentinel", [](Options& o) { o.connection.sentinel.primary_name = "sessions"; }},
        Case{"connection.sentinel", [](Options& o) { o.connection.sentinel.sentinels = {{.host = "s"}}; }},
        Case{"connection.sentinel.primary_name",
             [](Options& o) {
               o.connection.sentinel = {.primary_name = std::string(257, 's'), .sentinels = {{.host = "s"}}};
             }},
        Case{"connection.sentinel.sentinels",
             [](Options& o) { o.connection.sentinel = {.primary_name = "sessions", .sentinels = {{.port = 1}}}; }},
        Case{"connection.sentinel.password and connection.sentinel.password_file are both set",
             [](Options& o) {
               o.connection.sentinel = {
                   .primary_name = "s", .sentinels = {{.host = "s"}}, .password = "p", .password_file = "/f"};
             }},
        Case{"connection.sentinel.credentials is set, which would ignore",
             [](Options& o) {
               o.connection.sentinel = {
                   .primary_name = "s", .sentinels = {{.host = "s"}}, .username = "u", .credentials = provider};
             }},
        Case{"connection.password and connection.password_file are both set",
             [](Options& o) {
               o.connection.password = "p";
               o.connection.password_file = "/f";
             }},
        Case{"connection.credentials is set, which would ignore",
             [](Options& o) {
               o.connection.password_file = "/f";
               o.connection.credentials = provider;
             }},
        Case{"connection.credentials is set, which would ignore",
             [](Options& o) {
               o.connection.username = "u";
               o.connection.credentials = provider;
             }},
        Case{"connection.password_file", [](Options& o) { o.connection.password_file = std::string("/f\0", 3); }},
        Case{"connection.address_map", [](Options& o) { o.connection.address_map = {{.announced = {.host = "a"}}}; }},
        Case{"connection.address_map",
             [](Options& o) {
               o.connection.address_map = {{.announced = {.host = "a=b"}, .reachable = {.host = "c"}}};
             }},
        Case{"connection.address_map", [](Options& o) { o.connection.address_map.resize(1001); }},
        Case{"connection.sentinel.tls",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.sentinel = {.primary_name = "s",
                                        .sentinels = {{.host = "s"}},
                                        .tls = {.enabled = true, .certificate_file = "/cert.pem"}};
             }},
        Case{"choose one", [](Options& o) { o.connection.cluster.seeds = {{.host = "node"}}; }},
        Case{"connection.cluster.seeds",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.cluster.seeds = {{.host = "node", .port = 0}};
             }},
        Case{"connection.database",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.cluster.seeds = {{.host = "node"}};
               o.connection.database = 1;
             }},
        Case{"near_cache",
             [](Options& o) {
               o.connection.unix_socket.clear();
               o.connection.cluster.seeds = {{.host = "node"}};
               o.near_cache.enabled = true;
             }},
        Case{"connection.client_name", [](Options& o) { o.connection.client_name = "two words"; }}));

TEST(CredentialsProvider, IsEqualToItsCopiesOnly) {
  const CredentialsProvider first(provider);
  const CredentialsProvider second(provider);
  EXPECT_EQ(first, CredentialsProvider(first));
  EXPECT_NE(first, second);
  EXPECT_NE(first, CredentialsProvider());
  EXPECT_EQ(CredentialsProvider(), CredentialsProvider(CredentialsProvider::Function()));
  EXPECT_FALSE(CredentialsProvider(CredentialsProvider::Function()));
  EXPECT_NE((ConnectionOptions{.credentials = first}), (ConnectionOptions{.credentials = second}));
  EXPECT_EQ((ConnectionOptions{.credentials = first}), (ConnectionOptions{.credentials = first}));
}

}}  // namespace obol
