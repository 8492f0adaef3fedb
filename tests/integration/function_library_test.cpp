// The function library: several releases on one server, and servers that lose it under running stores.
#include "redis/protocol/function_library.hpp"

#include <thread>
#include <vector>

#include "redis/connection/dialer.hpp"
#include "store/session_commands.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class FunctionLibraryTest : public ServerTest {
 protected:
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  RedisStore store = store_on(server, observer);
};

TEST_P(FunctionLibraryTest, IsLoadedOnceUnderItsHashedName) {
  EXPECT_EQ(observer->count("functions_loaded " + std::string(session_functions().name)), 1U);
  auto second = store_on(server, observer);
  EXPECT_EQ(observer->count("functions_loaded"), 1U);
  EXPECT_EQ(server.command({"FUNCTION", "LIST"}).elements.size(), 1U);
}

TEST_P(FunctionLibraryTest, IsLoadedAgainWhereTheServerHasLostIt) {
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  for (int i = 0; i < 3; ++i) {
    server.command({"FUNCTION", "FLUSH"});
    ASSERT_TRUE(store.upsert(session).has_value());
    server.command({"FUNCTION", "FLUSH"});
    ASSERT_TRUE(store.delete_others(session.key()).has_value());
  }
  EXPECT_EQ(observer->count("functions_loaded"), 7U);
}

TEST_P(FunctionLibraryTest, MayBeLostUnderManyThreadsAtOnce) {
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([this, thread] {
      auto session = new_session("user", std::to_string(thread));
      for (int write = 0; write < 50; ++write) {
        const auto outcome = store.upsert(session);
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
      }
    });
  }
  for (int i = 0; i < 10; ++i) server.command({"FUNCTION", "FLUSH"});
}

TEST_P(FunctionLibraryTest, LostIsAnErrorForAStoreThatMayNotLoadIt) {
  auto options = options_for(server);
  options.functions = FunctionLoading::require_loaded;
  auto strict = RedisStore::connect(options).value();
  auto session = new_session();
  ASSERT_TRUE(strict.upsert(session).has_value());
  server.command({"FUNCTION", "FLUSH"});
  EXPECT_EQ(strict.upsert(session).error().code, ErrorCode::unsupported_server);
  EXPECT_EQ(strict.get(session.key()).value(), session);
  EXPECT_TRUE(strict.delete_one(session.key()).has_value());
}

/// What a release with other Lua code would load: the same functions under other names.
TEST_P(FunctionLibraryTest, OfAnotherReleaseStandsBesideIt) {
  const auto ours = session_functions();
  std::string source(ours.source);
  const std::string hash(ours.name.substr(ours.name.size() - 16));
  for (auto at = source.find(hash); at != std::string::npos; at = source.find(hash, at)) {
    source.replace(at, hash.size(), "0123456789abcdef");
  }
  const auto deadline = redis::Deadline::after(std::chrono::seconds(5));
  auto connection = redis::Dialer(server.connection(), 1024 * 1024).dial(deadline).value();
  const redis::FunctionLibrary theirs{.name = "obol_0123456789abcdef", .source = source};
  const auto load = [&] {
    return theirs.load_result(connection.call(theirs.load_command(), deadline).value()).value();
  };
  EXPECT_TRUE(load());
  EXPECT_FALSE(load());
  EXPECT_EQ(server.command({"FUNCTION", "LIST"}).elements.size(), 2U);

  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  ASSERT_TRUE(store.upsert(session).has_value());
  const auto their_answer = server.command({"FCALL", "obol_update_0123456789abcdef", "1", "obol_{user}:full", "session",
                                            std::string(8, '\xFF'), "sealed", "9999999999999"});
  EXPECT_EQ(their_answer.kind, redis::Reply::Kind::text) << "a conflict: the stored session";
}

/// The two promises of the update function that a repeated call rests on.
TEST_P(FunctionLibraryTest, TakesAWriteSentAgainForTheSameWrite) {
  auto session = new_session();
  ASSERT_TRUE(store.upsert(session).has_value());
  const std::string function = "obol_update_" + std::string(session_functions().name.substr(5));
  const std::string version_1("\0\0\0\0\0\0\0\1", 8);
  const std::string sealed = std::string("\0\0\0\0\0\0\0\2", 8) + "sealed";
  for (int i = 0; i < 3; ++i) {
    const auto reply =
        server.command({"FCALL", function, "1", "obol_{user}:full", "session", version_1, sealed, "9999999999999"});
    EXPECT_EQ(reply.kind, redis::Reply::Kind::integer) << reply.text;
  }
  server.command({"HDEL", "obol_{user}:full", "session"});
  const auto late =
      server.command({"FCALL", function, "1", "obol_{user}:full", "session", version_1, sealed, "9999999999999"});
  EXPECT_EQ(late.kind, redis::Reply::Kind::nil);
  EXPECT_EQ(server.command({"DBSIZE"}).integer, 0);
}

OBOL_ON_BOTH_SERVERS(FunctionLibraryTest);

}}  // namespace obol::testing
