// A whole life of a store, good and bad: no event, error or message of it holds an id, token, payload, password or key.
#include <functional>
#include <stdexcept>

#include "obol/session_token.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

constexpr std::string_view mark = "s3cret";

class Secrets : public ServerTest {
 protected:
  /// Every text in it is a secret.
  static Session secret_session(const std::string& id) {
    auto session = new_session("s3cret-user", "s3cret-" + id);
    session.refresh_token_id = "s3cret-token";
    session.extra_payload = "s3cret-payload";
    return session;
  }

  RedisStoreOptions secret_options() const {
    auto options = options_for(server, observer);
    options.keyring = Keyring(SigningKey::from_bytes("s3cret-key-s3cret-key-s3cret-key").value());
    options.policy = {
        .max_sessions = 2, .when_full = WhenFull::refuse, .revocation_mark_lifetime = std::chrono::seconds(60)};
    options.timeouts = {.connect = milliseconds(200), .command = milliseconds(200), .total = milliseconds(500)};
    return options;
  }

  template <class Outcome>
  void note(const Outcome& outcome) {
    if (!outcome) messages.push_back(outcome.error().message);
  }

  /// Everything that can be asked of a store.
  void call_everything(RedisStore& store) {
    for (const auto* id : {"one", "two", "three"}) {
      auto session = secret_session(id);
      note(store.upsert(session));
      note(store.upsert(session));
      auto stale = session;
      stale.lock_version = 1;
      note(store.upsert(stale));
      note(store.rotate_id(stale));
      note(store.rotate_id(session));
      note(store.get(session.key()));
      auto gone = secret_session("gone");
      gone.lock_version = 5;
      note(store.upsert(gone));
    }
    note(store.get_all("s3cret-user", "full"));
    note(store.delete_others(secret_session("one").key()));
    note(store.delete_one(secret_session("one").key()));
    note(store.delete_all("s3cret-user", "full"));
    auto late = secret_session("late");
    note(store.upsert(late));
    note(store.diagnose());
  }

  void expect_no_secret() const {
    EXPECT_FALSE(observer->holds(mark));
    for (const auto& message : messages) EXPECT_EQ(message.find(mark), std::string::npos) << message;
  }

  using milliseconds = std::chrono::milliseconds;
  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
  std::vector<std::string> messages;
};

TEST_P(Secrets, AreInNoEventOrMessageOfAnyCallUnderAnyTrouble) {
  auto store = connected(secret_options());
  const auto wrong_type = [&] { server.command({"SET", "obol_{s3cret-user}:full", "s3cret-value"}); };
  const std::vector<std::function<void()>> troubles{
      [] {},
      [&] { server.command({"HSET", "obol_{s3cret-user}:full", "s3cret-one", "s3cret-forgery"}); },
      wrong_type,
      [&] { server.command({"CONFIG", "SET", "maxmemory", "1"}); },
      [&] { server.command({"CONFIG", "SET", "maxmemory", "0"}); },
      [&] { server.command({"CONFIG", "SET", "min-replicas-to-write", "1"}); },
      [&] { server.command({"CONFIG", "SET", "min-replicas-to-write", "0"}); },
      [&] { server.command({"ACL", "SETUSER", "default", "-fcall", "-hget"}); },
      [&] { server.command({"ACL", "SETUSER", "default", "+@all"}); },
      [&] { server.command({"REPLICAOF", "127.0.0.1", "1"}); },
      [&] { server.stop(); },
  };
  for (const auto& trouble : troubles) {
    trouble();
    call_everything(store);
  }
  EXPECT_GT(messages.size(), 50U);
  EXPECT_GT(observer->lines().size(), 20U);
  expect_no_secret();
}

TEST_P(Secrets, AreInNoMessageOfAFailedConnect) {
  server.command({"ACL", "SETUSER", "s3cret-name", "on", ">right", "~*", "+@all", "-hello"});
  for (const auto* password : {"right", "s3cret-password"}) {
    auto options = secret_options();
    options.connection.username = "s3cret-name";
    options.connection.password = password;
    note(RedisStore::connect(options));
  }
  note(ConnectionOptions::from_uri("redis://s3cret-name:s3cret-password@host:port"));
  note(open_token("s3cret-token", secret_options().keyring));
  note(SigningKey::from_base_secret("s3cret"));
  note(SigningKey::from_bytes("s3cret"));
  EXPECT_GE(messages.size(), 4U);
  expect_no_secret();
}

TEST_P(Secrets, AreInNoMessageOfCredentialsThatChange) {
  server.command({"ACL", "SETUSER", "s3cret-name", "on", ">s3cret-first", "~*", "&*", "+@all"});
  auto options = secret_options();
  options.connection.username = "s3cret-name";
  options.connection.password = "s3cret-first";
  auto store = connected(options);
  note(store.replace_credentials({.username = "s3cret-other", .password = "s3cret-second"}));
  call_everything(store);
  const auto before = messages.size();
  server.command({"CLIENT", "KILL", "USER", "s3cret-name"});
  call_everything(store);
  EXPECT_GT(messages.size(), before);
  options.connection.username = options.connection.password = "";
  options.connection.credentials = []() -> Result<UserCredentials> {
    return UserCredentials{.username = "s3cret-name", .password = "s3cret-third"};
  };
  note(RedisStore::connect(options));
  options.connection.credentials = []() -> Result<UserCredentials> { throw std::runtime_error("s3cret-exception"); };
  note(RedisStore::connect(options));
  for (const auto* uri : {"redis://s3cret-name:s3cret/password@host", "redis://s3cret-name:s3cret?password@host",
                          "redis://s3cret-name:s3cret-password@host?password_file=/f"}) {
    note(ConnectionOptions::from_uri(uri));
  }
  expect_no_secret();
}

OBOL_ON_BOTH_SERVERS(Secrets);

}}  // namespace obol::testing
