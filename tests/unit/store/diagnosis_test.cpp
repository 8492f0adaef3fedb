// What the start-up check makes of a server's answers, without the server: which findings, how severe, and what to do.
#include "store/diagnosis.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obol { namespace {

using redis::Reply;
using std::chrono::seconds;
using Kind = Reply::Kind;

constexpr std::chrono::sys_seconds now{seconds(1'800'000'000)};

/// The questions in the order of diagnosis_commands; behind them come the calls that probe permissions.
enum Question : std::size_t { info, configuration, time_of_server, first_probe };

class DiagnosisTest : public ::testing::Test {
 protected:
  /// A server that is set up well, with one replica: gives no finding but its name.
  DiagnosisTest() {
    inspection.server = {.kind = "Valkey", .version = "9.1.4"};
    inspection.replies.resize(diagnosis_commands("key").size());
    say_info({});
    say_configuration({});
    say_time(now);
  }

  Reply text(std::string words) { return {.kind = Kind::text, .text = texts_.emplace_back(std::move(words))}; }
  Reply error(std::string words) { return {.kind = Kind::error, .text = texts_.emplace_back(std::move(words))}; }

  using Settings = std::vector<std::pair<std::string, std::string>>;

  /// INFO of the good server, with these lines in place of its own or in addition; an empty value takes a line away.
  void say_info(const Settings& changes) {
    Settings lines{{"maxmemory_policy", "noeviction"}, {"aof_enabled", "1"},
                   {"rdb_last_bgsave_status", "ok"},   {"aof_last_bgrewrite_status", "ok"},
                   {"aof_last_write_status", "ok"},    {"tracking_clients", "0"},
                   {"connected_slaves", "1"},          {"min_slaves_good_slaves", "1"}};
    std::string all = "# Memory\r\n";
    for (const auto& [name, value] : changed(std::move(lines), changes)) all += fmt::format("{}:{}\r\n", name, value);
    inspection.replies[info] = text(all);
  }

  /// The same for CONFIG GET.
  void say_configuration(const Settings& changes) {
    Settings settings{{"save", "3600 1"},
                      {"client-output-buffer-limit", "normal 268435456 67108864 60 replica 1 2 3 pubsub 1 2 3"},
                      {"maxmemory-clients", "0"}};
    Reply map{.kind = Kind::map};
    for (const auto& [name, value] : changed(std::move(settings), changes)) {
      map.elements.push_back(text(name));
      map.elements.push_back(text(value == "\"\"" ? "" : value));
    }
    inspection.replies[configuration] = std::move(map);
  }

  void say_time(std::chrono::sys_seconds time) {
    Reply list{.kind = Kind::list};
    list.elements.push_back(text(fmt::format("{}", time.time_since_epoch().count())));
    list.elements.push_back(text("999999"));
    inspection.replies[time_of_server] = std::move(list);
  }

  std::vector<Finding> findings() const { return diagnose(inspection, options, now); }

  /// The findings but for the server's name, as "<severity> <topic>".
  std::vector<std::string> found() const {
    std::vector<std::string> all;
    for (const auto& finding : findings()) {
      if (finding.severity == Severity::note && finding.topic == "server") continue;
      all.push_back(fmt::format("{} {}", to_string(finding.severity), finding.topic));
    }
    return all;
  }

  /// The message of the only finding but for the server's name.
  std::string message() const {
    const auto all = findings();
    EXPECT_EQ(all.size(), 2U);
    return all.back().message;
  }

  redis::Inspection inspection{.endpoint = "server:6379"};
  RedisStoreOptions options;

 private:
  static Settings changed(Settings settings, const Settings& changes) {
    for (const auto& change : changes) {
      std::erase_if(settings, [&](const auto& setting) { return setting.first == change.first; });
      if (!change.second.empty()) settings.push_back(change);
    }
    return settings;
  }

  std::deque<std::string> texts_;  ///< What the replies point to.
};

using Findings = std::vector<std::string>;

TEST_F(DiagnosisTest, OfAServerThatIsSetUpWellIsItsNameOnly) {
  const auto all = findings();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].severity, Severity::note);
  EXPECT_EQ(all[0].topic, "server");
  EXPECT_EQ(all[0].message, "Valkey 9.1.4");
}

TEST_F(DiagnosisTest, OfAServerThatCannotBeAskedIsTheReason) {
  inspection.error = Error{ErrorCode::unavailable, "server:6379: cannot connect"};
  inspection.replies.clear();
  const auto all = findings();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].severity, Severity::problem);
  EXPECT_EQ(all[0].topic, "server");
  EXPECT_EQ(all[0].message, "server:6379: cannot connect");
}

TEST_F(DiagnosisTest, WarnsOfReleasesWithKnownFaultsAndNamesTheOneToUpdateTo) {
  struct Case {
    std::string kind, version;
    std::string_view mended;  ///< Empty: no fault is known.
  };
  for (const auto& [kind, version, mended] :
       {Case{"Redis", "8.0.0", "8.0.6"}, Case{"Redis", "8.0.5", "8.0.6"},  Case{"Redis", "8.0.6", ""},
        Case{"Redis", "8.1.9", ""},      Case{"Redis", "8.2.0", "8.2.6"},  Case{"Redis", "8.2.5", "8.2.6"},
        Case{"Redis", "8.2.6", ""},      Case{"Redis", "8.4.2", "8.4.3"},  Case{"Redis", "8.4.3", ""},
        Case{"Redis", "8.6.2", "8.6.3"}, Case{"Redis", "8.6.3", ""},       Case{"Redis", "8.6.10", ""},
        Case{"Redis", "10.0.0", ""},     Case{"Redis", "9.1.0", ""},       Case{"Valkey", "9.0.7", "9.0.8"},
        Case{"Valkey", "9.0.8", ""},     Case{"Valkey", "9.1.3", "9.1.4"}, Case{"Valkey", "9.1.4", ""},
        Case{"Valkey", "9.1.10", ""},    Case{"Valkey", "9.1", "9.1.4"},   Case{"Valkey", "9.1.0-rc1", "9.1.4"},
        Case{"Valkey", "10.0.1", ""}}) {
    inspection.server = {.kind = kind, .version = version};
    SCOPED_TRACE(inspection.server.name());
    if (mended.empty()) {
      EXPECT_EQ(found(), Findings{});
    } else {
      EXPECT_EQ(found(), Findings{"warning version"});
      EXPECT_NE(message().find(fmt::format("update to {} or newer", mended)), std::string::npos) << message();
    }
  }
}

TEST_F(DiagnosisTest, WarnsOfAConnectionThatOthersCanReadOrChange) {
  inspection.is_exposed = true;
  EXPECT_EQ(found(), Findings{"warning unencrypted_connection"});
  inspection.is_exposed = false;
  options.connection.tls = {.enabled = true, .insecure_skip_verification = true};
  EXPECT_EQ(found(), Findings{"warning unverified_tls"});
  options.connection.tls.enabled = false;
  EXPECT_EQ(found(), Findings{}) << "TLS is not used";
  options.connection.tls = {.enabled = true};
  EXPECT_EQ(found(), Findings{});
}

TEST_F(DiagnosisTest, WarnsOfEvictionAndSaysWhatItDoes) {
  for (const auto& [policy, harm] : {std::pair{"allkeys-lru", "users are logged out at random"},
                                     std::pair{"allkeys-random", "users are logged out at random"},
                                     std::pair{"volatile-ttl", "may evict revocation marks"}}) {
    say_info({{"maxmemory_policy", policy}});
    EXPECT_EQ(found(), Findings{"warning eviction_policy"}) << policy;
    EXPECT_NE(message().find(policy), std::string::npos) << message();
    EXPECT_NE(message().find(harm), std::string::npos) << message();
  }
  say_info({{"maxmemory_policy", ""}});
  EXPECT_EQ(found(), Findings{}) << "a server without memory policies";
}

TEST_F(DiagnosisTest, SaysWhatARestartAndACrashLose) {
  struct Case {
    std::string append_only, schedule;
    Findings findings;
  };
  const std::string empty = "\"\"";
  const std::string not_told;
  for (const auto& [append_only, schedule, expected] :
       {Case{"1", empty, {}}, Case{"0", empty, {"warning persistence"}}, Case{"0", "3600 1", {"note persistence"}},
        Case{"0", not_told, {"note persistence"}}, Case{not_told, empty, {}}}) {
    SCOPED_TRACE(fmt::format("aof_enabled {}, save {}", append_only, schedule));
    say_info({{"aof_enabled", append_only}});
    say_configuration({{"save", schedule}});
    EXPECT_EQ(found(), expected);
  }
}

TEST_F(DiagnosisTest, WarnsOfEachWayToSaveThatFailed) {
  for (const auto* name : {"rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status"}) {
    say_info({{name, "err"}});
    EXPECT_EQ(found(), Findings{"warning persistence"}) << name;
    EXPECT_NE(message().find(name), std::string::npos) << message();
  }
}

TEST_F(DiagnosisTest, WarnsOfOutputBuffersWithoutALimitIfAnyClientHasANearCache) {
  struct Case {
    std::string limits, all_clients;
    Findings findings;
  };
  const std::string not_told;
  const Findings warned{"warning output_buffers"};
  for (const auto& [limits, all_clients, expected] :
       {Case{"normal 0 0 0 replica 1 2 3", "0", warned}, Case{"replica 1 2 3 normal 0 0 0", "0", warned},
        Case{"normal 0 0 0", not_told, warned}, Case{"normal 0 0 0", "5%", {}}, Case{"normal 1 0 0", "0", {}},
        Case{"normal 0 1 60", "0", {}}, Case{"replica 1 2 3 normal 1 1 60 pubsub 0 0 0", "0", {}},
        Case{"replica 1 2 3", "0", warned}, Case{not_told, "0", {"note output_buffers"}}}) {
    SCOPED_TRACE(fmt::format("{}, {}", limits, all_clients));
    say_configuration({{"client-output-buffer-limit", limits}, {"maxmemory-clients", all_clients}});
    options.near_cache.enabled = false;
    say_info({});
    EXPECT_EQ(found(), Findings{}) << "nobody has a near cache";
    say_info({{"tracking_clients", "1"}});
    EXPECT_EQ(found(), expected) << "another process has one";
    say_info({});
    options.near_cache.enabled = true;
    EXPECT_EQ(found(), expected) << "this store has one";
  }
}

TEST_F(DiagnosisTest, ComparesTheReplicasWithThoseThatDeletesWaitFor) {
  struct Case {
    std::string connected;
    std::size_t wanted;
    std::string needed_to_write;  ///< Empty: min-replicas-to-write is 0.
    Findings findings;
  };
  const std::string none;
  for (const auto& [connected, wanted, needed_to_write, expected] :
       {Case{"0", 0, none, {"note replication"}}, Case{"0", 1, none, {"warning replication"}},
        Case{"1", 2, "1", {"warning replication"}}, Case{"2", 2, "2", {}}, Case{"1", 0, none, {"note replication"}},
        Case{"3", 1, "2", {}}, Case{none, 0, none, {"note replication"}},
        Case{"x", 1, none, {"warning replication"}}}) {
    SCOPED_TRACE(fmt::format("{} connected, {} wanted, {} needed", connected, wanted, needed_to_write));
    say_info({{"connected_slaves", connected}, {"min_slaves_good_slaves", needed_to_write}});
    options.delete_durability.replicas = wanted;
    EXPECT_EQ(found(), expected);
  }
}

TEST_F(DiagnosisTest, WarnsOfAClockThatIsMoreThanTwoSecondsOff) {
  for (const auto& [ahead, words] :
       {std::pair{3, "is 3 s ahead of ours: sessions end that much too early"},
        std::pair{-3, "is 3 s behind ours: sessions end that much too late"}, std::pair{3600, "is 3600 s ahead of"}}) {
    say_time(now + seconds(ahead));
    EXPECT_EQ(found(), Findings{"warning clock"}) << ahead;
    EXPECT_NE(message().find(words), std::string::npos) << message();
  }
  for (const int tolerated : {-2, -1, 0, 1, 2}) {
    say_time(now + seconds(tolerated));
    EXPECT_EQ(found(), Findings{}) << tolerated;
  }
}

TEST_F(DiagnosisTest, IsAProblemIfTheServersTimeCannotBeRead) {
  inspection.replies[time_of_server] = error("NOPERM this user has no permissions");
  EXPECT_EQ(found(), Findings{"problem permission"});
  EXPECT_NE(message().find("allow +time"), std::string::npos) << message();
}

TEST_F(DiagnosisTest, WarnsOfAServerThatObolIsNotTestedOn) {
  for (const auto& [kind, version, name] :
       {std::tuple("Redis", "7.2.4", "Redis 7.2.4"), std::tuple("Valkey", "8.1", "Valkey 8.1"),
        std::tuple("dragonfly", "", "dragonfly,")}) {
    inspection.server = {.kind = kind, .version = version};
    EXPECT_EQ(found(), Findings{"warning untested_server"});
    EXPECT_NE(message().find(std::string("calls itself ") + name), std::string::npos) << message();
  }
}

TEST_F(DiagnosisTest, WarnsOfAServerThatDoesNotSayThatItIsAPrimary) {
  inspection.is_role_told = false;
  EXPECT_EQ(found(), Findings{"warning role"});
  EXPECT_NE(message().find("allow +role"), std::string::npos) << message();
}

TEST_F(DiagnosisTest, NamesTheCallThatFailsAndWhy) {
  const auto commands = diagnosis_commands("key");
  for (const auto& [words, expected] :
       {std::pair{"NOPERM this user has no permissions", "problem permission"},
        std::pair{"OOM command not allowed", "problem memory"}, std::pair{"ERR unknown command", "problem server"}}) {
    for (std::size_t probe = first_probe; probe < commands.size(); ++probe) {
      SCOPED_TRACE(fmt::format("{}: {}", commands[probe].name(), words));
      auto answered = std::exchange(inspection.replies[probe], error(words));
      EXPECT_EQ(found(), Findings{expected});
      EXPECT_TRUE(message().starts_with(commands[probe].name())) << message();
      EXPECT_NE(message().find(fmt::format(" to {}: ", commands[probe].name())), std::string::npos) << message();
      inspection.replies[probe] = std::move(answered);
    }
  }
}

TEST_F(DiagnosisTest, TakesMissingFunctionsForAProblemOnlyIfNobodyLoadsThem) {
  const auto commands = diagnosis_commands("key");
  for (std::size_t probe = first_probe; probe < commands.size(); ++probe) {
    if (commands[probe].name() == "FCALL") inspection.replies[probe] = error("ERR Function not found");
  }
  EXPECT_EQ(found(), Findings{"warning functions"});
  EXPECT_NE(message().find("load_at_connect loads it"), std::string::npos) << message();
  EXPECT_NE(message().find("obolctl functions load"), std::string::npos) << message();
  options.functions = FunctionLoading::require_loaded;
  EXPECT_EQ(found(), (Findings{"problem server", "problem server"})) << "of each function that is called";
}

TEST_F(DiagnosisTest, SaysWhatItCouldNotCheck) {
  inspection.replies[info] = error("NOPERM this user has no permissions");
  EXPECT_EQ(found(), Findings{"note settings"});
  EXPECT_NE(message().find("no +info"), std::string::npos) << message();
  inspection.replies[configuration] = error("NOPERM this user has no permissions");
  EXPECT_EQ(found(), Findings{"note settings"});
  options.near_cache.enabled = true;
  EXPECT_EQ(found(), (Findings{"note output_buffers", "note settings"}));
}

}}  // namespace obol
