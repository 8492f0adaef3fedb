// Connecting: each reason it can fail for has its own code and says what to do; and what a good connection is set up
// as.
#include <array>
#include <tuple>

#include "obol/redis_store.hpp"
#include "support/reserved_port.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class Connect : public ServerTest {
 protected:
  Error refused(const RedisStoreOptions& options) const {
    const auto store = RedisStore::connect(options);
    return store ? Error{} : store.error();
  }
};

TEST_P(Connect, WithAWrongPasswordIsAuthAndKeepsThePasswordSecret) {
  server.command({"ACL", "SETUSER", "web", "on", ">right", "~*", "+@all"});
  auto options = options_for(server);
  options.connection.username = "web";
  options.connection.password = "hunter2";
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::auth) << error.message;
  EXPECT_NE(error.message.find("wrong user name or password"), std::string::npos);
  EXPECT_EQ(error.message.find("hunter2"), std::string::npos);
}

TEST_P(Connect, WithoutThePasswordTheServerWantsIsAuth) {
  ASSERT_FALSE(server.command({"CONFIG", "SET", "requirepass", "right"}).is_error());
  const auto error = refused(options_for(server));
  EXPECT_EQ(error.code, ErrorCode::auth) << error.message;
}

TEST_P(Connect, WithTheRightUserAndPasswordSucceeds) {
  server.command({"ACL", "SETUSER", "web", "on", ">right", "~*", "+@all"});
  auto options = options_for(server);
  options.connection.username = "web";
  options.connection.password = "right";
  EXPECT_TRUE(RedisStore::connect(options).has_value());
}

TEST_P(Connect, ToAServerAtMaxmemorySucceedsIfItHasTheFunctions) {
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(refused(options_for(server)).code, ErrorCode::out_of_memory);
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  auto before = RedisStore::connect(options_for(server)).value();
  auto session = new_session();
  ASSERT_TRUE(before.upsert(session).has_value());
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  for (const auto loading : {FunctionLoading::load_at_connect, FunctionLoading::require_loaded}) {
    auto options = options_for(server);
    options.functions = loading;
    auto store = RedisStore::connect(options);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    EXPECT_EQ(store->get(session.key()).value(), session);
    EXPECT_TRUE(store->delete_others(session.key()).has_value());
  }
}

TEST_P(Connect, ToADatabaseThatDoesNotExistIsAnInvalidArgument) {
  auto options = options_for(server);
  options.connection.database = 99;
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::invalid_argument);
  EXPECT_NE(error.message.find("no database 99"), std::string::npos) << error.message;
}

TEST_P(Connect, UsesTheDatabaseAndTheClientNameItWasGiven) {
  auto options = options_for(server);
  options.connection.database = 3;
  options.connection.client_name = "web-1";
  auto store = RedisStore::connect(options).value();
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(server.command({"DBSIZE"}).integer, 0);
  EXPECT_NE(server.command({"INFO", "keyspace"}).text.find("db3:keys=1"), std::string::npos);
  EXPECT_NE(server.command({"CLIENT", "LIST"}).text.find("name=web-1"), std::string::npos);
}

/// The rules docs/operations.md gives the web role.
constexpr std::array web_role{"~obol_*", "-@all",         "+hget",   "+hgetall", "+hsetex", "+hdel", "+hkeys",
                              "+hlen",   "+hpexpiretime", "+unlink", "+fcall",   "+time",   "+echo"};

void make_web_user(const TestServer& server) {
  server.command({"ACL", "SETUSER", "web", "reset", "on", ">right"});
  for (const auto* rule : web_role) server.command({"ACL", "SETUSER", "web", rule});
}

RedisStoreOptions web_options(const TestServer& server) {
  auto options = options_for(server);
  options.connection.username = "web";
  options.connection.password = "right";
  options.functions = FunctionLoading::require_loaded;
  return options;
}

TEST_P(Connect, AsTheMinimalWebRoleDoesEverythingOnceTheFunctionsAreLoaded) {
  make_web_user(server);
  ASSERT_TRUE(RedisStore::connect(options_for(server)).has_value());
  auto store = RedisStore::connect(web_options(server)).value();
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  ASSERT_TRUE(store.upsert(session).has_value());
  EXPECT_EQ(store.get(session.key()).value(), session);
  EXPECT_EQ(store.get_all("user", "full")->size(), 1U);
  EXPECT_TRUE(store.delete_others(session.key()).has_value());
  EXPECT_TRUE(store.delete_one(session.key()).has_value());
  EXPECT_TRUE(store.delete_all("user", "full").has_value());
}

TEST_P(Connect, AsTheMinimalDeployRoleLoadsTheFunctionsForTheWebRole) {
  server.command({"ACL", "SETUSER", "deploy", "reset", "on", ">right", "-@all", "+function|load", "+echo"});
  make_web_user(server);
  auto options = options_for(server);
  options.connection.username = "deploy";
  options.connection.password = "right";
  EXPECT_TRUE(RedisStore::connect(options).has_value());
  EXPECT_TRUE(RedisStore::connect(web_options(server)).has_value());
}

TEST_P(Connect, RequiringFunctionsThatAreNotLoadedIsAnUnsupportedServer) {
  make_web_user(server);
  const auto error = refused(web_options(server));
  EXPECT_EQ(error.code, ErrorCode::unsupported_server);
  EXPECT_NE(error.message.find("not loaded"), std::string::npos) << error.message;
}

TEST_P(Connect, LoadingFunctionsWithoutTheRightIsPermissionAndNamesTheWayOut) {
  make_web_user(server);
  auto options = web_options(server);
  options.functions = FunctionLoading::load_at_connect;
  const auto error = refused(options);
  EXPECT_EQ(error.code, ErrorCode::permission);
  EXPECT_NE(error.message.find("require_loaded"), std::string::npos) << error.message;
}

TEST_P(Connect, WithoutTheRightThatBatchesNeedIsPermission) {
  make_web_user(server);
  ASSERT_TRUE(RedisStore::connect(options_for(server)).has_value());
  server.command({"ACL", "SETUSER", "web", "-echo"});
  const auto error = refused(web_options(server));
  EXPECT_EQ(error.code, ErrorCode::permission);
}

class MissingPermission : public ::testing::TestWithParam<std::tuple<ServerKind, std::string>> {};

TEST_P(MissingPermission, IsPermissionOnTheCallThatNeedsIt) {
  const TestServer server(std::get<0>(GetParam()));
  const auto& command = std::get<1>(GetParam());
  make_web_user(server);
  auto loader = RedisStore::connect(options_for(server)).value();
  auto session = new_session();
  ASSERT_TRUE(loader.upsert(session).has_value());
  auto store = RedisStore::connect(web_options(server)).value();
  server.command({"ACL", "SETUSER", "web", "-" + command});

  auto another = new_session("user", "another");
  std::vector<std::error_code> codes;
  if (const auto outcome = store.get(session.key()); !outcome) codes.push_back(outcome.error().code);
  if (const auto outcome = store.get_all("user", "full"); !outcome) codes.push_back(outcome.error().code);
  if (const auto outcome = store.upsert(another); !outcome) codes.push_back(outcome.error().code);
  if (const auto outcome = store.upsert(session); !outcome) codes.push_back(outcome.error().code);
  if (const auto outcome = store.delete_others(session.key()); !outcome) codes.push_back(outcome.error().code);
  if (const auto outcome = store.delete_one(session.key()); !outcome) codes.push_back(outcome.error().code);
  if (const auto outcome = store.delete_all("user", "full"); !outcome) codes.push_back(outcome.error().code);
  EXPECT_FALSE(codes.empty());
  for (const auto& code : codes) EXPECT_EQ(code, ErrorCode::permission);
}

INSTANTIATE_TEST_SUITE_P(On, MissingPermission,
                         ::testing::Combine(::testing::Values(ServerKind::redis, ServerKind::valkey),
                                            ::testing::Values("hget", "hgetall", "hsetex", "hdel", "hkeys", "hlen",
                                                              "hpexpiretime", "unlink", "fcall", "time")),
                         [](const auto& parameter) {
                           return name_of(std::get<0>(parameter.param)) + "_" + std::get<1>(parameter.param);
                         });

OBOL_ON_BOTH_SERVERS(Connect);

TEST(ConnectToNoServer, IsUnavailableAndNamesTheAddress) {
  auto options = options_for(ConnectionOptions{.host = "127.0.0.1"});
  options.timeouts = {.connect = std::chrono::seconds(60), .total = std::chrono::seconds(60)};  // For name servers.
  const ReservedPort unused;
  options.connection.port = unused.number();
  auto store = RedisStore::connect(options);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::unavailable);
  EXPECT_NE(store.error().message.find("127.0.0.1:"), std::string::npos) << store.error().message;
  options.connection.unix_socket = "/nonexistent/obol.sock";
  EXPECT_EQ(RedisStore::connect(options).error().code, ErrorCode::unavailable);
  options.connection.unix_socket.clear();
  options.connection.host = "no-such-host.invalid";
  EXPECT_EQ(RedisStore::connect(options).error().code, ErrorCode::unavailable);
}

TEST(ConnectToRedis7, IsAnUnsupportedServerThatSaysWhatWasFoundAndWhatItLacks) {
  const TestServer server(ServerKind::redis7);
  const auto store = RedisStore::connect(options_for(server));
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::unsupported_server);
  EXPECT_NE(store.error().message.find("Redis 7.0.15 found, which lacks HSETEX, HPEXPIRETIME ("), std::string::npos)
      << store.error().message;
}

TEST(ConnectByTcp, TriesEveryAddressOfAName) {
  const ReservedPort port;
  // "localhost" is ::1 and 127.0.0.1 on most machines; the server has the second only.
  const TestServer server(ServerKind::redis, {"--port", std::to_string(port.number()), "--bind", "127.0.0.1"});
  auto options = options_for(server);
  options.connection = {.host = "localhost", .port = port.number()};
  EXPECT_TRUE(RedisStore::connect(options).has_value());
}

}}  // namespace obol::testing
