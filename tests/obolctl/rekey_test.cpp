// Sealing anew while hosts go on refreshing and logging out.
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "obolctl/program.hpp"
#include "redis/client/client.hpp"
#include "sealing/sealing.hpp"
#include "store/client_options.hpp"
#include "store/session_commands.hpp"
#include "support/server_test.hpp"

namespace obol::testing { namespace {

using Json = nlohmann::json;

class Rekey : public ServerTest {
 protected:
  Outcome rekey(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"rekey", "--json"});
    auto environment = environment_for(server);
    environment["OBOL_SECRET"] = secret('n');
    environment["OBOL_OLD_SECRETS"] = secret('k');
    return Program(std::move(arguments), environment).wait();
  }
  RedisStore store_with(const Keyring& keyring, Encryption encryption = Encryption::off) {
    auto options = options_for(server);
    options.keyring = keyring;
    options.encryption = encryption;
    return RedisStore::connect(options).value();
  }
  std::string sealed(const Session& session) {
    return std::string(server.command({"HGET", stored_key("obol_", session.user_id, session.type), session.id}).text);
  }
  std::int64_t expires(const Session& session) {
    const auto key = stored_key("obol_", session.user_id, session.type);
    return server.command({"HPEXPIRETIME", key, "FIELDS", "1", session.id}).elements.at(0).integer;
  }

  Keyring old_ring{signing_key('k')};
  Keyring new_ring{signing_key('n')};
  Keyring rotating = old_ring.with_verifying_key(signing_key('n')).value();
};

TEST_P(Rekey, TheOldKeyCanBeLeftOutAfterwardsAndNothingElseHasChanged) {
  auto session = new_session();
  auto store = store_with(old_ring);
  ASSERT_TRUE(store.upsert(session));
  ASSERT_TRUE(store.upsert(session));
  const auto expiry = expires(session);
  const auto outcome = rekey();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out)["rekeyed"], 1);
  EXPECT_EQ(store_with(new_ring).get(session.key()).value(), session);
  EXPECT_EQ(expires(session), expiry);
  EXPECT_EQ(Json::parse(rekey().out)["rekeyed"], 0);
}

TEST_P(Rekey, AHostThatReadBeforeItStillRefreshesAfterIt) {
  auto session = new_session();
  auto store = store_with(rotating);
  ASSERT_TRUE(store.upsert(session));
  ASSERT_EQ(Json::parse(rekey().out)["rekeyed"], 1);
  EXPECT_TRUE(store.upsert(session));
}

TEST_P(Rekey, EncryptsWhereThatIsAskedForAndNeverDecrypts) {
  auto session = new_session("a");
  auto encrypted = new_session("b");
  auto signing = store_with(old_ring);
  auto encrypting = store_with(old_ring, Encryption::encrypt);
  ASSERT_TRUE(signing.upsert(session));
  ASSERT_TRUE(encrypting.upsert(encrypted));
  ASSERT_EQ(Json::parse(rekey().out)["rekeyed"], 2);
  EXPECT_FALSE(sealing::inscription(sealed(session))->is_encrypted);
  EXPECT_TRUE(sealing::inscription(sealed(encrypted))->is_encrypted);
  ASSERT_EQ(Json::parse(rekey({"--encrypt"}).out)["rekeyed"], 1);
  auto requiring = store_with(new_ring, Encryption::require);
  EXPECT_EQ(requiring.get(session.key()).value(), session);
  EXPECT_EQ(requiring.get(encrypted.key()).value(), encrypted);
}

TEST_P(Rekey, WhatDoesNotVerifyIsLeftAsItStandsAndTold) {
  auto session = new_session();
  auto store = store_with(Keyring(signing_key('x')));
  ASSERT_TRUE(store.upsert(session));
  server.command({"HSET", "obol_{broken}:full", "id", "nonsense"});
  const auto before = sealed(session);
  const auto outcome = rekey();
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(Json::parse(outcome.out)["not_verified"], Json({{"malformed", 1}, {"unknown_key", 1}}));
  EXPECT_EQ(sealed(session), before);
}

TEST_P(Rekey, WithoutAKeyIsAWrongCall) {
  auto environment = environment_for(server);
  environment.erase("OBOL_SECRET");
  EXPECT_EQ(Program({"rekey"}, environment).wait().status, 2);
}

// A session id that was logged out and used again has the same lock version, and is another session.
TEST_P(Rekey, OnlyTheVeryBytesThatWereReadAreReplaced) {
  auto store = store_with(old_ring);
  auto logged_out = new_session();
  logged_out.extra_payload = "of the first";
  ASSERT_TRUE(store.upsert(logged_out));
  const auto key = stored_key("obol_", logged_out.user_id, logged_out.type);
  const auto read = sealed(logged_out);
  const auto resealed = sealing::reseal(read, key, logged_out.key(),
                                        new_ring.with_verifying_key(signing_key('k')).value(), Encryption::off);
  ASSERT_TRUE(resealed);
  redis::Client client(client_options(options_for(server)), session_functions());
  const auto exchange = [&] {
    const auto command = exchange_command(key, logged_out.id, read, *resealed, field_expiry(logged_out));
    return exchange_result(client.call(key, command, client.new_deadline()).value()).value();
  };
  ASSERT_TRUE(store.delete_one(logged_out.key()));
  EXPECT_EQ(exchange(), Exchange::gone);
  auto another = new_session();
  ASSERT_TRUE(store.upsert(another));
  EXPECT_EQ(exchange(), Exchange::changed);
  EXPECT_EQ(store.get(another.key()).value(), another);
}

TEST_P(Rekey, UnderRefreshesAndLogoutsNoneIsLostAndNobodyComesBack) {
  constexpr int sessions_each = 60;
  std::atomic<bool> stops = false;
  const auto host = [&](int number, std::vector<Session>& mine, std::vector<Session>& gone) {
    auto store = store_with(rotating);
    for (int i = 0; i < sessions_each; ++i) {
      auto session = new_session("user " + std::to_string(i), "host " + std::to_string(number));
      ASSERT_TRUE(store.upsert(session));
      mine.push_back(std::move(session));
    }
    for (std::size_t turn = 0; !stops; ++turn) {
      auto& session = mine[turn % mine.size()];
      session.extra_payload = "turn " + std::to_string(turn);
      const auto refreshed = store.upsert(session);
      ASSERT_TRUE(refreshed) << refreshed.error().message;
      if (turn % 16 != 0 || mine.size() == 1) continue;
      ASSERT_TRUE(store.delete_one(session.key()));
      gone.push_back(session);
      std::swap(session, mine.back());
      mine.pop_back();
    }
  };
  std::array<std::vector<Session>, 3> mine;
  std::array<std::vector<Session>, 3> gone;
  std::uint64_t rekeyed = 0;
  {
    std::vector<std::jthread> hosts;
    for (int number = 0; number < 3; ++number) {
      hosts.emplace_back(host, number, std::ref(mine[static_cast<std::size_t>(number)]),
                         std::ref(gone[static_cast<std::size_t>(number)]));
    }
    for (int run = 0; run < 8; ++run) {
      const auto outcome = rekey();
      EXPECT_LE(outcome.status, 1) << outcome.err;
      rekeyed += Json::parse(outcome.out)["rekeyed"].get<std::uint64_t>();
    }
    stops = true;
  }
  EXPECT_GT(rekeyed, 0U);
  ASSERT_EQ(rekey().status, 0);
  auto store = store_with(new_ring);
  for (const auto& sessions : mine) {
    for (const auto& session : sessions) EXPECT_EQ(store.get(session.key()).value(), session);
  }
  for (const auto& sessions : gone) {
    for (const auto& session : sessions) EXPECT_FALSE(store.get(session.key()).value());
  }
}

OBOL_ON_BOTH_SERVERS(Rekey);

}}  // namespace obol::testing
