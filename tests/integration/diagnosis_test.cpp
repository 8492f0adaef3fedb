// diagnose(): each thing that is wrong with a server is found, and a good one gives no more than notes.
#include <arpa/inet.h>
#include <ifaddrs.h>

#include <array>
#include <optional>

#include "support/reserved_port.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class Diagnosis : public ServerTest {
 protected:
  std::vector<Finding> findings(RedisStoreOptions options) {
    auto store = RedisStore::connect(std::move(options)).value();
    return store.diagnose().value();
  }

  /// The severity of the first finding on a topic; nothing where there is none.
  std::optional<Severity> severity_of(std::string_view topic, const std::vector<Finding>& among) {
    const auto found = std::ranges::find(among, topic, &Finding::topic);
    if (found == among.end()) return std::nullopt;
    EXPECT_FALSE(found->message.empty());
    return found->severity;
  }

  std::optional<Severity> severity_of(std::string_view topic) {
    return severity_of(topic, findings(options_for(server)));
  }
};

TEST_P(Diagnosis, NamesTheServer) { EXPECT_EQ(severity_of("server"), Severity::note); }

TEST_P(Diagnosis, WarnsOfEviction) {
  EXPECT_EQ(severity_of("eviction_policy"), std::nullopt);
  server.command({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  EXPECT_EQ(severity_of("eviction_policy"), Severity::warning);
  server.command({"CONFIG", "SET", "maxmemory-policy", "volatile-ttl"});
  EXPECT_EQ(severity_of("eviction_policy"), Severity::warning);
}

TEST_P(Diagnosis, WarnsWhereNothingIsSaved) {
  EXPECT_EQ(severity_of("persistence"), Severity::warning);
  server.command({"CONFIG", "SET", "save", "3600 1"});
  EXPECT_EQ(severity_of("persistence"), Severity::note);
  server.command({"CONFIG", "SET", "appendonly", "yes"});
  EXPECT_EQ(severity_of("persistence"), std::nullopt);
}

TEST_P(Diagnosis, WarnsOfANearCacheThatMayFillTheServersMemory) {
  EXPECT_EQ(severity_of("output_buffers"), std::nullopt);
  auto options = options_for(server);
  options.near_cache.enabled = true;
  EXPECT_EQ(severity_of("output_buffers", findings(options)), Severity::warning);
  {
    const auto other = connected(options);
    EXPECT_EQ(severity_of("output_buffers"), Severity::warning) << "another process's near cache";
  }
  for (const auto* limit : {"normal 268435456 0 0", "normal 0 67108864 60"}) {
    server.command({"CONFIG", "SET", "client-output-buffer-limit", limit});
    EXPECT_EQ(severity_of("output_buffers", findings(options)), std::nullopt) << limit;
  }
  server.command({"CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"});
  EXPECT_EQ(severity_of("output_buffers", findings(options)), Severity::warning);
  server.command({"CONFIG", "SET", "maxmemory-clients", "5%"});
  EXPECT_EQ(severity_of("output_buffers", findings(options)), std::nullopt);
}

TEST_P(Diagnosis, SaysWhereBoundsOfANearCacheCannotBeSeen) {
  server.command({"ACL", "SETUSER", "web", "reset", "on", ">right", "~*", "&*", "+@all", "-config"});
  auto options = options_for(server);
  options.connection.username = "web";
  options.connection.password = "right";
  options.near_cache.enabled = true;
  EXPECT_EQ(severity_of("output_buffers", findings(options)), Severity::note);
}

TEST_P(Diagnosis, WarnsOfReplicasThatAreWaitedForInVain) {
  EXPECT_EQ(severity_of("replication"), Severity::note);
  auto options = options_for(server);
  options.delete_durability.replicas = 1;
  EXPECT_EQ(severity_of("replication", findings(options)), Severity::warning);
}

TEST_P(Diagnosis, WarnsOfAClockThatDiffers) {
  EXPECT_EQ(severity_of("clock"), std::nullopt);
  for (const auto skew : {std::chrono::seconds(60), std::chrono::seconds(-60)}) {
    auto options = options_for(server);
    options.clock = [skew] { return std::chrono::system_clock::now() + skew; };
    EXPECT_EQ(severity_of("clock", findings(options)), Severity::warning);
  }
}

TEST_P(Diagnosis, IsAProblemForEachPermissionThatIsMissing) {
  EXPECT_EQ(severity_of("permission"), std::nullopt);
  for (const auto* command : {"hget", "hgetall", "hkeys", "hlen", "hpexpiretime", "hsetex", "hdel", "unlink", "time"}) {
    server.command({"ACL", "SETUSER", "web", "reset", "on", ">right", "~*", "+@all", std::string("-") + command});
    auto options = options_for(server);
    options.connection.username = "web";
    options.connection.password = "right";
    EXPECT_EQ(severity_of("permission", findings(options)), Severity::problem) << command;
  }
}

TEST_P(Diagnosis, IsAProblemWhereMemoryIsFull) {
  auto store = store_on(server);
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(severity_of("memory", store.diagnose().value()), Severity::problem);
}

TEST_P(Diagnosis, SaysWhatItMayNotSee) {
  server.command({"ACL", "SETUSER", "web", "reset", "on", ">right", "~*", "+@all", "-info", "-config"});
  auto options = options_for(server);
  options.connection.username = "web";
  options.connection.password = "right";
  const auto all = findings(options);
  EXPECT_EQ(severity_of("settings", all), Severity::note);
}

TEST_P(Diagnosis, IsToldToTheObserverAtConnect) {
  const auto observer = std::make_shared<RecordingObserver>();
  const auto store = store_on(server, observer);
  EXPECT_EQ(observer->count("finding note server " + name_of(GetParam())), 1U);
  EXPECT_EQ(observer->count("finding warning persistence"), 1U);
}

TEST_P(Diagnosis, ChangesNothing) {
  auto store = store_on(server);
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto changes = [&] {
    const std::string info(server.command({"INFO", "persistence"}).text);
    const auto line = info.find("rdb_changes_since_last_save:");
    return info.substr(line, info.find('\r', line) - line);
  };
  const auto before = changes();
  ASSERT_TRUE(store.diagnose().has_value());
  EXPECT_EQ(changes(), before);
  EXPECT_EQ(server.command({"DBSIZE"}).integer, 1);
}

OBOL_ON_BOTH_SERVERS(Diagnosis);

std::string first_address_of_this_machine() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(all, ::freeifaddrs);
  for (const ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text.data(), text.size());
    if (!std::string_view(text.data()).starts_with("127.")) return text.data();
  }
  return {};
}

TEST(PlainTcp, ToAnotherAddressThanLoopbackWorksAndWarns) {
  const auto address = first_address_of_this_machine();
  if (address.empty()) GTEST_SKIP() << "this machine has no address but loopback";
  const ReservedPort port;
  const TestServer server(ServerKind::redis, {"--port", std::to_string(port.number()), "--bind", "127.0.0.1 " + address,
                                              "--protected-mode", "no"});
  for (const auto& [host, warnings] : {std::pair{address, 1U}, std::pair{std::string("127.0.0.1"), 0U}}) {
    const auto observer = std::make_shared<RecordingObserver>();
    auto options = options_for(server, observer);
    options.connection = {.host = host, .port = port.number()};
    auto store = RedisStore::connect(options).value();
    auto session = new_session("user", host);
    EXPECT_TRUE(store.upsert(session).has_value());
    EXPECT_EQ(observer->count("finding warning unencrypted_connection"), warnings) << host;
  }
}

}}  // namespace obol::testing
