// Credentials that change while a store lives: replaced, out of a file, or a provider's. No call fails that could be
// served, and no secret is told.
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/fault_proxy.hpp"
#include "support/server_test.hpp"
#include "support/test_sentinel.hpp"

namespace obol::testing { namespace {

using std::chrono::milliseconds;

/// Threads that read and write until they are told to stop, and what went wrong.
class Load {
 public:
  explicit Load(RedisStore& store) {
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this, &store, i] {
        auto session = new_session("user-" + std::to_string(i));
        while (!stopping_) {
          if (const auto stored = store.upsert(session); !stored) note(stored.error());
          if (const auto found = store.get(session.key()); !found) note(found.error());
          ++rounds_;
        }
      });
    }
  }
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Until every thread may have made some calls more.
  void go_on() const {
    const auto from = rounds_.load();
    await("calls to go on", [&] { return rounds_ >= from + 200; });
  }

  std::vector<std::string> stop() {
    stopping_ = true;
    threads_.clear();
    const std::scoped_lock lock(mutex_);
    return troubles_;
  }

 private:
  void note(const Error& error) {
    const std::scoped_lock lock(mutex_);
    troubles_.push_back(error.message);
  }

  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> rounds_ = 0;
  std::mutex mutex_;
  std::vector<std::string> troubles_;
  std::vector<std::jthread> threads_;
};

/// A file whose content is replaced at one go.
class PasswordFile {
 public:
  explicit PasswordFile(std::string_view content) {
    char name[] = "/tmp/obol-XXXXXX";
    folder_ = ::mkdtemp(name);
    write(content);
  }
  ~PasswordFile() { std::filesystem::remove_all(folder_); }
  PasswordFile(const PasswordFile&) = delete;
  PasswordFile& operator=(const PasswordFile&) = delete;

  std::string path() const { return folder_ / "password"; }

  void write(std::string_view content) const {
    const auto next = folder_ / "next";
    std::ofstream(next) << content;
    std::filesystem::rename(next, path());
  }

 private:
  std::filesystem::path folder_;
};

class ChangingCredentials : public ServerTest {
 protected:
  ChangingCredentials() { make_user("web", ">first"); }

  void make_user(std::string_view name, std::string_view password_rule) const {
    ASSERT_FALSE(server.command({"ACL", "SETUSER", name, "on", "~*", "&*", "+@all", password_rule}).is_error());
  }

  /// ">password" adds one, "<password" takes it away.
  void change_user(std::string_view password_rule) const {
    ASSERT_FALSE(server.command({"ACL", "SETUSER", "web", password_rule}).is_error());
  }

  std::string clients() const { return std::string(server.command({"CLIENT", "LIST"}).text); }

  /// Every connection of the user ends; returns how many there were.
  std::int64_t kill_connections() const { return server.command({"CLIENT", "KILL", "USER", "web"}).integer; }

  RedisStoreOptions options() const { return options(server.connection()); }
  static RedisStoreOptions options(const ConnectionOptions& connection) {
    auto options = options_for(connection);
    options.connection.username = "web";
    options.connection.password = "first";
    return options;
  }

  RedisStoreOptions options_with(CredentialsProvider provider) const {
    auto options = options_for(server);
    options.connection.credentials = std::move(provider);
    return options;
  }

  RedisStoreOptions options_with(const PasswordFile& file) const {
    auto options = options_for(server);
    options.connection.username = "web";
    options.connection.password_file = file.path();
    return options;
  }
};

TEST_P(ChangingCredentials, AreReplacedUnderLoadWhileBothAreValid) {
  auto store = RedisStore::connect(options()).value();
  Load load(store);
  for (const auto* const next : {"second", "third"}) {
    const std::string before = next == std::string_view("second") ? "first" : "second";
    change_user(">" + std::string(next));
    ASSERT_TRUE(store.replace_credentials({.username = "web", .password = next}).has_value());
    load.go_on();
    change_user("<" + before);
    load.go_on();
    kill_connections();
    load.go_on();
  }
  EXPECT_EQ(load.stop(), std::vector<std::string>{});
}

// Whoever cannot have both for a while tells the store first: it goes on with the old one until the server has changed.
TEST_P(ChangingCredentials, AreReplacedUnderLoadThoughTheServerKnowsOnlyOneAtATime) {
  auto store = RedisStore::connect(options()).value();
  Load load(store);
  ASSERT_TRUE(store.replace_credentials({.username = "web", .password = "second"}).has_value());
  load.go_on();
  server.command({"ACL", "SETUSER", "web", "resetpass", ">second"});
  kill_connections();
  load.go_on();
  EXPECT_EQ(load.stop(), std::vector<std::string>{});
}

TEST_P(ChangingCredentials, ReachLivingConnectionsWithTheirNextCommand) {
  auto store = RedisStore::connect(options()).value();
  ASSERT_TRUE(store.get(new_session().key()).has_value());
  const auto opened = store.pool_statistics().opened;
  make_user("other", ">second");
  ASSERT_TRUE(store.replace_credentials({.username = "other", .password = "second"}).has_value());
  ASSERT_TRUE(store.get(new_session().key()).has_value());
  EXPECT_EQ(kill_connections(), 0) << "nobody is the old user any more";
  EXPECT_EQ(store.pool_statistics().opened, opened);
}

TEST_P(ChangingCredentials, ThatTheServerRefusesDisturbNoLivingConnectionAndAreTriedAgain) {
  auto store = RedisStore::connect(options()).value();
  ASSERT_TRUE(store.replace_credentials({.username = "other", .password = "second"}).has_value());
  ASSERT_TRUE(store.get(new_session().key()).has_value());
  ASSERT_TRUE(store.get(new_session().key()).has_value());
  make_user("other", ">second");
  await("the store to try again", [&] {
    EXPECT_TRUE(store.get(new_session().key()).has_value());
    return clients().contains("user=other");
  });
}

TEST_P(ChangingCredentials, ThatTheServerRefusesToANewConnectionLetCallsWaitForALivingOne) {
  FaultProxy proxy(server);
  auto store = RedisStore::connect(options(proxy.connection())).value();
  ASSERT_TRUE(store.replace_credentials({.username = "web", .password = "second"}).has_value());
  await("a connection to be opened beside one that is busy", [&] {
    proxy.once(Fault::delay(milliseconds(200)), "HGET");
    const std::jthread busy([&] { EXPECT_TRUE(store.get(new_session().key()).has_value()); });
    const auto found = store.get(new_session().key());
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return store.pool_statistics().failed > 0;
  });
}

// The refusal of before arrives only when the server knows them and has ended the connections that stood.
TEST_P(ChangingCredentials, ThatWereRefusedTooEarlyAreGivenAgainIfNoConnectionIsLeft) {
  FaultProxy proxy(server);
  auto store = RedisStore::connect(options(proxy.connection())).value();
  ASSERT_TRUE(store.replace_credentials({.username = "web", .password = "second"}).has_value());
  proxy.once(Fault::delay(milliseconds(200)), "HGET");
  proxy.once(Fault::delay(milliseconds(800)), "HELLO");
  const auto get = [&] {
    const auto found = store.get(new_session().key());
    EXPECT_TRUE(found.has_value()) << found.error().message;
  };
  std::jthread first(get);
  const std::jthread second(get);
  ASSERT_TRUE(proxy.await_faults(2));
  server.command({"ACL", "SETUSER", "web", "resetpass", ">second"});
  kill_connections();
  first.join();
  get();  // Finds the one that stood closed.
}

TEST_P(ChangingCredentials, ReachTheNearCachesConnection) {
  auto options = this->options();
  options.near_cache.enabled = true;
  auto store = RedisStore::connect(options).value();
  make_user("other", ">second");
  ASSERT_TRUE(store.replace_credentials({.username = "other", .password = "second"}).has_value());
  await("the tracking connection to be the other user", [&] {
    EXPECT_TRUE(store.get_all("user", "full").has_value());
    const auto all = clients();
    return !all.contains("user=web") && all.contains("user=other");
  });
}

TEST_P(ChangingCredentials, OfNobodyAreRefused) {
  auto store = RedisStore::connect(options()).value();
  EXPECT_EQ(store.replace_credentials({}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(store.replace_sentinel_credentials({.password = "x"}).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(store.get(new_session().key()).has_value());
}

TEST_P(ChangingCredentials, AreAskedOfTheProviderForEachConnection) {
  std::atomic<int> asked = 0;
  auto store = RedisStore::connect(options_with([&]() -> Result<UserCredentials> {
                 ++asked;
                 return UserCredentials{.username = "web", .password = "first"};
               })).value();
  EXPECT_EQ(asked, 1);
  kill_connections();
  ASSERT_TRUE(store.get(new_session().key()).has_value());
  EXPECT_EQ(asked, 2);
}

TEST_P(ChangingCredentials, OfAProviderAreUsedByLivingConnectionsOnceOneConnectionHasThem) {
  std::atomic<bool> is_rotated = false;
  auto options = options_with([&]() -> Result<UserCredentials> {
    return UserCredentials{.username = is_rotated ? "other" : "web", .password = "first"};
  });
  options.near_cache.enabled = true;  // It has a connection of its own, with the flag t.
  auto store = RedisStore::connect(options).value();
  make_user("other", ">first");
  is_rotated = true;
  std::int64_t killed = 0;
  std::istringstream lines(clients());
  for (std::string line; std::getline(lines, line);) {
    if (!line.contains("user=web") || line.contains("flags=t")) continue;
    const auto id = line.substr(line.find("id=") + 3, line.find(' ') - line.find("id=") - 3);
    killed += server.command({"CLIENT", "KILL", "ID", id}).integer;
  }
  ASSERT_EQ(killed, 1);
  await("both connections to be the other user", [&] {
    EXPECT_TRUE(store.get_all("user", "full").has_value());
    const auto all = clients();
    return !all.contains("user=web") && all.contains("user=other");
  });
}

// As a cloud does: each token is an identity that ends, and takes its connections with it.
TEST_P(ChangingCredentials, ThatEndAreAskedForAnewBeforeAndNoCallFails) {
  std::atomic<int> tokens = 0;
  auto store = RedisStore::connect(options_with([&]() -> Result<UserCredentials> {
                 const auto number = ++tokens;
                 const auto name = "token-" + std::to_string(number);
                 make_user(name, ">first");
                 if (number > 2) server.command({"ACL", "DELUSER", "token-" + std::to_string(number - 2)});
                 return UserCredentials{.username = name, .password = "first", .valid_for = milliseconds(400)};
               })).value();
  Load load(store);
  await("some tokens to end", [&] { return tokens >= 6; });
  load.go_on();
  EXPECT_EQ(load.stop(), std::vector<std::string>{});
}

TEST_P(ChangingCredentials, OfAProviderThatFailsLaterTakeNothingFromLivingConnections) {
  std::atomic<int> asked = 0;
  auto store = RedisStore::connect(options_with([&]() -> Result<UserCredentials> {
                 if (++asked > 1) return std::unexpected(Error{ErrorCode::unavailable, "the vault is down"});
                 return UserCredentials{.username = "web", .password = "first", .valid_for = milliseconds(100)};
               })).value();
  await("the provider to be asked again", [&] {
    EXPECT_TRUE(store.get(new_session().key()).has_value());
    return asked >= 2;
  });
  EXPECT_TRUE(store.get(new_session().key()).has_value());
}

TEST_P(ChangingCredentials, OfAProviderThatFailsAreAnAuthErrorThatKeepsAnExceptionToItself) {
  const auto returned = RedisStore::connect(options_with(
      []() -> Result<UserCredentials> { return std::unexpected(Error{ErrorCode::unavailable, "the vault is down"}); }));
  ASSERT_FALSE(returned.has_value());
  EXPECT_EQ(returned.error().code, ErrorCode::auth);
  EXPECT_NE(returned.error().message.find("connection.credentials returned an error: the vault is down"),
            std::string::npos);
  const auto thrown =
      RedisStore::connect(options_with([]() -> Result<UserCredentials> { throw std::runtime_error("hunter2"); }));
  ASSERT_FALSE(thrown.has_value());
  EXPECT_EQ(thrown.error().code, ErrorCode::auth);
  EXPECT_EQ(thrown.error().message.find("hunter2"), std::string::npos);
}

TEST_P(ChangingCredentials, AreReadFromTheFileForEachConnection) {
  const PasswordFile file("first\n");
  auto store = RedisStore::connect(options_with(file)).value();
  ASSERT_TRUE(store.get(new_session().key()).has_value());
  change_user(">second");
  file.write("second\r\n");
  change_user("<first");
  kill_connections();
  EXPECT_TRUE(store.get(new_session().key()).has_value());
}

TEST_P(ChangingCredentials, InAFileAreRotatedUnderLoad) {
  const PasswordFile file("first\n");
  auto store = RedisStore::connect(options_with(file)).value();
  Load load(store);
  change_user(">second");
  file.write("second");
  kill_connections();
  load.go_on();
  change_user("<first");
  kill_connections();
  load.go_on();
  EXPECT_EQ(load.stop(), std::vector<std::string>{});
}

TEST_P(ChangingCredentials, InAFileThatIsOfNoUseAreAnAuthErrorThatNamesTheFileAndNotItsContent) {
  const PasswordFile file("hunter2\nhunter2\n");
  const std::vector<std::pair<std::string, std::string>> cases{{"hunter2\nhunter2\n", "more than one line"},
                                                               {"", "is empty"},
                                                               {"\n", "is empty"},
                                                               {std::string(70'000, 'x'), "is larger than"},
                                                               {"hunter2", "wrong user name or password"}};
  for (const auto& [content, what] : cases) {
    file.write(content);
    const auto store = RedisStore::connect(options_with(file));
    ASSERT_FALSE(store.has_value()) << what;
    EXPECT_EQ(store.error().code, ErrorCode::auth);
    EXPECT_NE(store.error().message.find(file.path()), std::string::npos) << store.error().message;
    EXPECT_NE(store.error().message.find(what), std::string::npos) << store.error().message;
    EXPECT_EQ(store.error().message.find("hunter2"), std::string::npos) << store.error().message;
  }
  auto options = options_with(file);
  options.connection.password_file = "/nonexistent/password";
  EXPECT_NE(RedisStore::connect(options).error().message.find("/nonexistent/password cannot be read: No such file"),
            std::string::npos);
  options.connection.password_file = "/tmp";
  EXPECT_NE(RedisStore::connect(options).error().message.find("is not a regular file"), std::string::npos);
}

TEST_P(ChangingCredentials, OfAUserWhoNeedsNoPasswordLogThatUserIn) {
  server.command({"ACL", "SETUSER", "web", "resetpass", "nopass"});
  auto options = this->options();
  options.connection.password.clear();
  auto store = RedisStore::connect(options).value();
  EXPECT_GE(kill_connections(), 1);
  EXPECT_TRUE(store.get(new_session().key()).has_value());
}

// As a service does that ends the login of a connection, and not the connection.
TEST_P(ChangingCredentials, ThatTheServerForgetsAreGivenAgainOnANewConnection) {
  FaultProxy proxy(server);
  auto options = options_for(proxy.connection());
  options.connection.username = "web";
  options.connection.password = "first";
  auto store = RedisStore::connect(options).value();
  const auto forgotten = Fault::garbage("-NOAUTH Authentication required.\r\n");
  proxy.once(forgotten);
  EXPECT_TRUE(store.get(new_session().key()).has_value());
  EXPECT_EQ(proxy.faults(), 1U);
  proxy.once(forgotten, "HELLO");
  await("the server's role to be asked for", [&] {
    const auto found = store.get(new_session().key());
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return proxy.faults() == 2;
  });
}

OBOL_ON_BOTH_SERVERS(ChangingCredentials);

class SentinelsCredentials : public ::testing::TestWithParam<ServerKind> {
 protected:
  SentinelsCredentials() { set_password("first"); }

  void set_password(const std::string& password) const {
    const auto rule = ">" + password;
    ASSERT_FALSE(sentinel.ask(0, {"ACL", "SETUSER", "watcher", "reset", "on", "+@all", rule}).is_error());
  }

  TestSentinel sentinel{GetParam(), {.replicas = 0, .sentinels = 1}};
};

TEST_P(SentinelsCredentials, ComeFromAFileOrAProviderOrAreReplaced) {
  const PasswordFile file("first\n");
  auto options = options_for(sentinel.connection());
  options.connection.sentinel.username = "watcher";
  options.connection.sentinel.password_file = file.path();
  auto store = RedisStore::connect(options).value();

  set_password("second");
  const auto redial = [&] {
    sentinel.command(0, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    return store.get(new_session().key());
  };
  file.write("second\n");
  EXPECT_TRUE(redial().has_value());

  set_password("third");
  ASSERT_TRUE(store.replace_sentinel_credentials({.username = "watcher", .password = "third"}).has_value());
  EXPECT_TRUE(redial().has_value());

  options.connection.sentinel.username.clear();
  options.connection.sentinel.password_file.clear();
  options.connection.sentinel.credentials = []() -> Result<UserCredentials> {
    return UserCredentials{.username = "watcher", .password = "third"};
  };
  EXPECT_TRUE(RedisStore::connect(options).has_value());
}

OBOL_ON_BOTH_SERVERS(SentinelsCredentials);

}}  // namespace obol::testing
