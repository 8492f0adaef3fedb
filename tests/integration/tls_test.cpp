// TLS: who is accepted, who is not, and that no handshake outlives its deadline.
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/certificates.hpp"
#include "support/child.hpp"
#include "support/listener.hpp"
#include "support/reserved_port.hpp"
#include "support/tested_store.hpp"
#include "support/tls_front.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

class Tls : public ::testing::TestWithParam<StoreOnServer> {
 protected:
  void start_server(const Authority::Files& files, const std::string& asks_for_certificates = "no") {
    auto arguments = authority.server_arguments(files);
    arguments.insert(arguments.end(), {"--tls-port", std::to_string(port.number()), "--bind", "127.0.0.1",
                                       "--tls-auth-clients", asks_for_certificates});
    server.emplace(GetParam().server, std::move(arguments));
  }

  RedisStoreOptions options() const {
    return options_for(ConnectionOptions{
        .host = "127.0.0.1", .port = port.number(), .tls = {.enabled = true, .ca_file = authority.ca_file()}});
  }

  static std::error_code code_of(const RedisStoreOptions& options) {
    const auto store = RedisStore::connect(options);
    return store ? std::error_code{} : store.error().code;
  }

  Authority authority;
  ReservedPort port;
  std::optional<TestServer> server;
};

/// A store that is connected.
class TlsStore : public Tls {
 protected:
  static constexpr int small_buffer = 16'384;
  /// More than the kernel takes while the peer reads little at a time.
  static constexpr std::size_t large = 6'000'000;

  TestedStore store_through(const TlsFront& front) const {
    auto options = options_for(front.connection());
    options.max_payload_bytes = large;
    return {GetParam().store, options};
  }

  /// Both ways at the same time: writes wait for room while replies come in.
  static void expect_large_sessions_to_pass(SessionStore& store) {
    std::vector<std::jthread> callers;
    for (const auto* name : {"a", "b"}) {
      callers.emplace_back([&store, name] {
        auto session = new_session(name);
        session.extra_payload.assign(large, *name);
        const auto stored = store.upsert(session);
        ASSERT_TRUE(stored.has_value()) << stored.error().message;
        EXPECT_TRUE(store.get(session.key()).value() == session);
      });
    }
  }
};

TEST_P(TlsStore, CarriesEveryCall) {
  start_server(authority.issue("server", "DNS:localhost,IP:127.0.0.1"));
  for (const auto* host : {"127.0.0.1", "localhost"}) {
    auto with_host = options();
    with_host.connection.host = host;
    TestedStore store(GetParam().store, with_host);
    auto session = new_session("user", host);
    session.extra_payload.assign(1'000'000, 'x');
    ASSERT_TRUE(store.upsert(session).has_value());
    ASSERT_TRUE(store.upsert(session).has_value());
    EXPECT_EQ(store.get(session.key()).value(), session);
    EXPECT_TRUE(store.delete_one(session.key()).has_value());
  }
}

TEST_P(TlsStore, CarriesMuchBothWaysAtOnce) {
  const TestServer behind(GetParam().server);
  const TlsFront front(behind.socket_path(), small_buffer);
  auto store = store_through(front);
  expect_large_sessions_to_pass(store);
}

// OpenSSL answers with the next write, which may be one that waits.
TEST_P(TlsStore, CarriesMuchWhileThePeerAsksForNewKeys) {
  const TestServer behind(GetParam().server);
  TlsFront front(behind.socket_path(), small_buffer);
  front.ask_for_keys(true);
  auto store = store_through(front);
  expect_large_sessions_to_pass(store);
}

OBOL_ON_STORES(TlsStore, all_stores());

TEST_P(Tls, RefusesACertificateForAnotherName) {
  start_server(authority.issue("server", "DNS:other.example,IP:10.1.1.1"));
  EXPECT_EQ(code_of(options()), ErrorCode::tls);
  auto by_name = options();
  by_name.connection.host = "localhost";
  EXPECT_EQ(code_of(by_name), ErrorCode::tls);
  auto by_other_name = options();
  by_other_name.connection.tls.server_name = "other.example";
  EXPECT_EQ(code_of(by_other_name), std::error_code{});
}

TEST_P(Tls, RefusesAnAuthorityItDoesNotTrust) {
  start_server(authority.issue("server", "IP:127.0.0.1"));
  const Authority stranger;
  auto trusting_another = options();
  trusting_another.connection.tls.ca_file = stranger.ca_file();
  EXPECT_EQ(code_of(trusting_another), ErrorCode::tls);
  auto trusting_the_system = options();
  trusting_the_system.connection.tls.ca_file.clear();
  EXPECT_EQ(code_of(trusting_the_system), ErrorCode::tls);
}

TEST_P(Tls, RefusesAnExpiredCertificate) {
  start_server(authority.issue("server", "IP:127.0.0.1", -60));
  EXPECT_EQ(code_of(options()), ErrorCode::tls);
}

TEST_P(Tls, SkipsVerificationOnlyWhereToldSo) {
  start_server(authority.issue("server", "DNS:other.example", -60));
  auto insecure = options();
  insecure.connection.tls = {.enabled = true, .insecure_skip_verification = true};
  EXPECT_EQ(code_of(insecure), std::error_code{});
}

TEST_P(Tls, ShowsItsOwnCertificateWhereTheServerAsksForOne) {
  start_server(authority.issue("server", "IP:127.0.0.1"), "yes");
  // The server's alert may be overtaken by its reset of the connection.
  const auto refusal = code_of(options());
  EXPECT_TRUE(refusal == ErrorCode::tls || refusal == ErrorCode::unavailable) << refusal;
  const auto ours = authority.issue("client", "DNS:client");
  auto with_certificate = options();
  with_certificate.connection.tls.certificate_file = ours.certificate;
  with_certificate.connection.tls.private_key_file = ours.private_key;
  EXPECT_EQ(code_of(with_certificate), std::error_code{});
}

TEST_P(Tls, LoadsACertificateThatWasRenewedForTheNextConnection) {
  start_server(authority.issue("server", "IP:127.0.0.1"), "yes");
  const auto ours = authority.issue("client", "DNS:client");
  auto with_certificate = options();
  with_certificate.connection.tls.certificate_file = ours.certificate;
  with_certificate.connection.tls.private_key_file = ours.private_key;
  with_certificate.pool.idle_limit = milliseconds(1);
  auto store = RedisStore::connect(with_certificate).value();
  const auto later = [] { std::this_thread::sleep_for(milliseconds(5)); };

  const Authority stranger;
  const auto foreign = stranger.issue("client", "DNS:client");
  const auto replace_with = [&](const Authority::Files& files) {
    std::filesystem::copy_file(files.certificate, ours.certificate, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(files.private_key, ours.private_key, std::filesystem::copy_options::overwrite_existing);
    later();
  };
  replace_with(foreign);
  EXPECT_EQ(store.get({.user_id = "user", .id = "id"}).error().code, ErrorCode::tls);
  const auto renewed = authority.issue("renewed", "DNS:client");
  replace_with(renewed);
  await("the renewed one to be used", [&] { return store.get({.user_id = "user", .id = "id"}).has_value(); });
}

// OpenSSL takes no name of more than 255 bytes. The child ends by itself unless its forks and its threads wait for each
// other.
TEST_P(Tls, AHandshakeThatCannotBeginKeepsNoForkWaiting) {
  if (!can_fork_beside_busy_threads) GTEST_SKIP() << "the sanitizer's own locks may be held in the child";
  start_server(authority.issue("server", "IP:127.0.0.1"));
  auto long_name = options();
  long_name.connection.tls.server_name = std::string(256, 'a');
  const auto fork_beside_handshakes = [&long_name] {
    std::atomic<bool> is_ending{false};
    std::atomic<bool> is_refused{true};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        while (!is_ending) {
          if (code_of(long_name) != ErrorCode::tls) is_refused = false;
        }
      });
    }
    bool is_well = true;
    // A fork takes a sanitizer a hundred times as long.
    constexpr int forks = is_sanitized ? 50 : 300;
    for (int i = 0; i < forks; ++i) is_well = is_well && run_in_child([] { return true; }).empty();
    is_ending = true;
    threads.clear();
    return is_well && is_refused;
  };
  EXPECT_EQ(run_in_child(fork_beside_handshakes), "");
}

TEST_P(Tls, ToAPortWithoutItSaysSo) {
  start_server(authority.issue("server", "IP:127.0.0.1"));
  const ReservedPort plain_port;
  const TestServer plain(GetParam().server, {"--port", std::to_string(plain_port.number()), "--bind", "127.0.0.1"});
  auto wrong_port = options();
  wrong_port.connection.port = plain_port.number();
  wrong_port.timeouts.connect = milliseconds(1000);
  const auto store = RedisStore::connect(wrong_port);
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find("does this port speak TLS"), std::string::npos) << store.error().message;
}

// Both stores dial alike.
OBOL_ON_STORES(Tls, blocking_stores());

TEST(TlsHandshake, EndsByTheConnectDeadlineWhereThePeerSaysNothing) {
  const Listener silent;
  const Authority authority;
  RedisStoreOptions options;
  options.connection = {
      .host = "127.0.0.1", .port = silent.port(), .tls = {.enabled = true, .ca_file = authority.ca_file()}};
  options.keyring = Keyring(signing_key());
  options.timeouts.connect = milliseconds(100);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(RedisStore::connect(options).error().code, ErrorCode::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(10'000));
}

TEST(TlsFiles, ThatCannotBeLoadedAreATlsErrorThatNamesTheOption) {
  RedisStoreOptions options;
  options.connection = {.host = "127.0.0.1", .port = 1, .tls = {.enabled = true, .ca_file = "/nonexistent/ca.pem"}};
  options.keyring = Keyring(signing_key());
  const auto store = RedisStore::connect(options);
  EXPECT_EQ(store.error().code, ErrorCode::tls);
  EXPECT_NE(store.error().message.find("ca_file"), std::string::npos) << store.error().message;
}

}}  // namespace obol::testing
