// Encryption in a running store: what a dump of the server shows, and the way from signed to encrypted sessions.
#include "support/server_test.hpp"

namespace obol::testing { namespace {

class EncryptedStore : public ServerTest {
 protected:
  RedisStore store_with(Encryption encryption) const {
    auto options = options_for(server, observer);
    options.encryption = encryption;
    return RedisStore::connect(options).value();
  }

  std::string stored_bytes() const { return std::string(server.command({"HGET", "obol_{user}:full", "session"}).text); }

  std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();
};

TEST_P(EncryptedStore, ShowsNothingOfASessionInTheServer) {
  auto store = store_with(Encryption::encrypt);
  auto session = new_session();
  session.extra_payload = "a host's payload";
  session.refresh_token_id = "a refresh token id";
  for (int write = 0; write < 3; ++write) {
    ASSERT_TRUE(store.upsert(session).has_value());
    EXPECT_EQ(stored_bytes().find(session.extra_payload), std::string::npos);
    EXPECT_EQ(stored_bytes().find(session.refresh_token_id), std::string::npos);
    EXPECT_EQ(store.get(session.key()).value(), session);
  }
}

TEST_P(EncryptedStore, MigratesASessionAtItsNextWrite) {
  auto signed_only = store_with(Encryption::off);
  auto migrating = store_with(Encryption::encrypt);
  auto strict = store_with(Encryption::require);
  auto session = new_session();
  ASSERT_TRUE(signed_only.upsert(session).has_value());
  EXPECT_EQ(strict.get(session.key()).value(), std::nullopt);
  EXPECT_EQ(observer->count("verification_failed"), 1U);
  EXPECT_EQ(migrating.get(session.key()).value(), session);
  ASSERT_TRUE(migrating.upsert(session).has_value());
  for (auto* store : {&signed_only, &migrating, &strict}) EXPECT_EQ(store->get(session.key()).value(), session);
}

OBOL_ON_BOTH_SERVERS(EncryptedStore);

}}  // namespace obol::testing
