// Servers and proxies without a command that Obol needs: the error is unsupported_server and names the command. Those
// without FUNCTION or FCALL are given scripts: see function_scripts_test.cpp.
#include <algorithm>
#include <string>
#include <tuple>

#include "obol/redis_store.hpp"
#include "support/fault_proxy.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

/// The first error of connecting and of a session's life; none where all went well.
Error first_error(const RedisStoreOptions& options) {
  auto store = RedisStore::connect(options);
  if (!store) return store.error();
  auto session = new_session();
  if (const auto found = store->get(session.key()); !found) return found.error();
  for (int version = 1; version <= 2; ++version) {
    if (const auto stored = store->upsert(session); !stored) return stored.error();
  }
  if (const auto all = store->get_all("user", "full"); !all) return all.error();
  if (const auto one = store->delete_one(session.key()); !one) return one.error();
  if (const auto all = store->delete_all("user", "full"); !all) return all.error();
  return {};
}

class MissingCommand : public ::testing::TestWithParam<std::tuple<ServerKind, std::string>> {
 protected:
  const std::string& command() const { return std::get<1>(GetParam()); }
  TestServer server{std::get<0>(GetParam()), {"--rename-command", std::get<1>(GetParam()), ""}};
};

std::string name_of_case(const ::testing::TestParamInfo<std::tuple<ServerKind, std::string>>& info) {
  return name_of(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
}

TEST_P(MissingCommand, IsAnUnsupportedServerWhoseMessageNamesIt) {
  const auto error = first_error(options_for(server));
  EXPECT_EQ(error.code, ErrorCode::unsupported_server) << error.message;
  EXPECT_NE(error.message.find("to " + command()), std::string::npos) << error.message;
}

INSTANTIATE_TEST_SUITE_P(On, MissingCommand,
                         ::testing::Combine(::testing::Values(ServerKind::redis, ServerKind::valkey),
                                            ::testing::Values("HELLO", "HSETEX", "ECHO", "HGET", "HGETALL", "HDEL",
                                                              "UNLINK")),
                         name_of_case);

/// Those that some options need, or that only say more of the server.
using MissingExtra = MissingCommand;

TEST_P(MissingExtra, TakesNothingFromAStoreThatDoesNotNeedIt) {
  const auto error = first_error(options_for(server));
  EXPECT_FALSE(error.code) << error.message;
}

TEST_P(MissingExtra, IsNamedByWhatNeedsIt) {
  auto options = options_for(server);
  if (command() == "CLIENT") options.near_cache.enabled = true;
  if (command() == "WAIT") options.delete_durability.replicas = 1;
  if (command() == "SELECT") options.connection.database = 1;
  const auto error = first_error(options);
  EXPECT_EQ(error.code, ErrorCode::unsupported_server) << error.message;
  EXPECT_NE(error.message.find("to " + command()), std::string::npos) << error.message;
}

INSTANTIATE_TEST_SUITE_P(On, MissingExtra,
                         ::testing::Combine(::testing::Values(ServerKind::redis, ServerKind::valkey),
                                            ::testing::Values("CLIENT", "WAIT", "SELECT")),
                         name_of_case);

class CommandThatAProxyRefuses : public ServerTest {
 protected:
  FaultProxy proxy{server};
};

TEST_P(CommandThatAProxyRefuses, IsNamedThoughTheProxysWordsDoNotNameIt) {
  for (const auto* const words : {"-ERR unknown command\r\n", "-ERR command not supported\r\n",
                                  "-ERR invalid command\r\n", "-unsupported command\r\n"}) {
    for (const auto* const command : {"HELLO", "HSETEX", "ECHO"}) {
      proxy.heal();
      server.command({"FLUSHALL"});
      proxy.always(Fault::garbage(words), command);
      const auto error = first_error(options_for(proxy.connection()));
      EXPECT_EQ(error.code, ErrorCode::unsupported_server) << words << error.message;
      EXPECT_NE(error.message.find(std::string("to ") + command), std::string::npos) << words << error.message;
    }
  }
}

TEST_P(CommandThatAProxyRefuses, IsAProblemThatADiagnosisTells) {
  auto store = RedisStore::connect(options_for(proxy.connection())).value();
  proxy.always(Fault::garbage("-ERR unknown command\r\n"), "HSETEX");
  const auto findings = store.diagnose().value();
  const auto told = std::ranges::find_if(findings, [](const Finding& finding) {
    return finding.severity == Severity::problem && finding.message.contains("to HSETEX: Obol needs this command");
  });
  EXPECT_NE(told, findings.end());
}

TEST_P(CommandThatAProxyRefuses, IsNotAskedForAPasswordThatIsSet) {
  proxy.always(Fault::garbage("-NOAUTH Authentication required.\r\n"), "HELLO");
  auto options = options_for(proxy.connection());
  EXPECT_NE(first_error(options).message.find("set connection.password"), std::string::npos);
  options.connection.password = "hunter2";
  const auto error = first_error(options);
  EXPECT_EQ(error.code, ErrorCode::auth);
  EXPECT_EQ(error.message.find("set connection.password"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("a proxy in between"), std::string::npos) << error.message;
}

OBOL_ON_BOTH_SERVERS(CommandThatAProxyRefuses);

}}  // namespace obol::testing
