// Accounts, passwords and how often they may be tried.
#include <gtest/gtest.h>
#include <sodium.h>

#include <chrono>
#include <string>

#include "login_throttle.hpp"
#include "passwords.hpp"
#include "users.hpp"

namespace example::auth_server { namespace {

using std::chrono::seconds;

TEST(AuthServerUsers, AreFoundByNameWhateverItsCaseAndKeepTheirsToThemselves) {
  Users users;
  EXPECT_EQ(users.add({.id = "1", .name = "Charon", .password_hash = "hash"}), Users::Added::yes);
  EXPECT_EQ(users.add({.id = "2", .name = "CHARON", .password_hash = "other"}), Users::Added::name_is_taken);
  EXPECT_EQ(users.find_by_name("charon")->id, "1");
  EXPECT_EQ(users.find_by_id("1")->name, "Charon");
  EXPECT_FALSE(users.find_by_id("2"));
  EXPECT_TRUE(users.replace_password_hash("1", "hash", "new"));
  EXPECT_FALSE(users.replace_password_hash("1", "hash", "of somebody who knew the old password"));
  EXPECT_EQ(users.find_by_name("charon")->password_hash, "new");
}

TEST(AuthServerUsers, HaveNamesAndPasswordsWithinLimits) {
  EXPECT_TRUE(objection_to_name("a.B_c-9").empty());
  for (const std::string name : {"", "a b", "<b>", "\xC3\xA9", "a\n"})
    EXPECT_FALSE(objection_to_name(name).empty()) << name;
  EXPECT_FALSE(objection_to_name(std::string(33, 'a')).empty());
  EXPECT_TRUE(objection_to_password("ten bytes!", "user").empty());
  EXPECT_FALSE(objection_to_password("nine byte", "user").empty());
  EXPECT_FALSE(objection_to_password("Penelope.of.Ithaka", "penelope.of.ithaka").empty());
  EXPECT_FALSE(objection_to_password(std::string(257, 'a'), "user").empty());
}

TEST(AuthServerPasswords, AreVerifiedByTheirHashAloneAndNeverForNobody) {
  ASSERT_GE(::sodium_init(), 0);
  PasswordHasher passwords;
  const auto hash = passwords.hash("a coin for the ferryman").value();
  EXPECT_TRUE(hash.starts_with("$argon2id$")) << hash;
  EXPECT_NE(hash, passwords.hash("a coin for the ferryman").value());
  EXPECT_TRUE(passwords.verify("a coin for the ferryman", hash).value());
  EXPECT_FALSE(passwords.verify("a coin for the ferrymen", hash).value());
  EXPECT_FALSE(passwords.verify("nobody's password", "").value());
}

class AuthServerThrottle : public ::testing::Test {
 protected:
  /// How many of so many wrong attempts were let through.
  int wrong_attempts(const Attempt& attempt, int count) {
    int admitted = 0;
    for (int i = 0; i < count; ++i) admitted += throttle.admit(attempt) == seconds(0) ? 1 : 0;
    return admitted;
  }

  std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
  LoginThrottle throttle{[this] { return now; }};
  const Attempt attacker{.account = "user", .network = "192.0.2.x"};
};

TEST_F(AuthServerThrottle, LetsAFewAttemptsThroughAndThenOneAMinute) {
  EXPECT_EQ(wrong_attempts(attacker, 100), 5);
  const auto wait = throttle.admit(attacker);
  EXPECT_EQ(wait, seconds(60));
  now += wait - seconds(1);
  EXPECT_EQ(throttle.admit(attacker), seconds(1));
  now += seconds(1);
  EXPECT_EQ(wrong_attempts(attacker, 100), 1);
}

TEST_F(AuthServerThrottle, DoesNotStopTheOwnerElsewhereNorOnAKnownDevice) {
  wrong_attempts(attacker, 100);
  EXPECT_EQ(throttle.admit({.account = "user", .network = "198.51.100.x"}), seconds(0));
  EXPECT_EQ(throttle.admit({.account = "user", .network = "192.0.2.x", .known_device = "device"}), seconds(0));
  EXPECT_EQ(throttle.admit({.account = "other", .network = "192.0.2.x"}), seconds(0));
}

TEST_F(AuthServerThrottle, SlowsDownAnAttackFromManyNetworksWhileKnownDevicesGetIn) {
  int admitted = 0;
  for (int network = 0; network < 100; ++network) {
    admitted += wrong_attempts({.account = "user", .network = std::to_string(network)}, 10);
  }
  EXPECT_EQ(admitted, 30);
  EXPECT_EQ(throttle.admit({.account = "user", .network = "1", .known_device = "device"}), seconds(0));
}

TEST_F(AuthServerThrottle, SlowsDownOneNetworkThatTriesManyAccounts) {
  int admitted = 0;
  for (int account = 0; account < 1000; ++account) {
    admitted += wrong_attempts({.account = std::to_string(account), .network = "192.0.2.x"}, 1);
  }
  EXPECT_EQ(admitted, 60);
}

TEST_F(AuthServerThrottle, LimitsAKnownDeviceToo) {
  EXPECT_EQ(wrong_attempts({.account = "user", .network = "1", .known_device = "device"}, 100), 10);
}

TEST_F(AuthServerThrottle, TakesNoNameForTheKeyOfSomethingElse) {
  const std::string typed[] = {"user network 192.0.2.x", "user 192.0.2.x", "device device", "192.0.2.x",
                               std::string("user\0", 5)};
  for (const auto& account : typed) wrong_attempts({.account = account, .network = {}}, 100);
  EXPECT_EQ(wrong_attempts(attacker, 100), 5);
  EXPECT_EQ(wrong_attempts({.account = "user", .network = "1", .known_device = "device"}, 100), 10);
}

TEST_F(AuthServerThrottle, LetsOneNetworkSignUpAFewTimes) {
  const auto signed_up = [&](const std::string& network) {
    int admitted = 0;
    while (admitted < 1000 && throttle.admit_sign_up(network) == seconds(0)) ++admitted;
    return admitted;
  };
  EXPECT_EQ(signed_up("192.0.2.x"), 20);
  EXPECT_EQ(throttle.admit_sign_up("192.0.2.x"), seconds(30));
  EXPECT_EQ(signed_up("198.51.100.x"), 20);
  now += seconds(30);
  EXPECT_EQ(signed_up("192.0.2.x"), 1);
  EXPECT_EQ(throttle.admit(attacker), seconds(0));
}

TEST_F(AuthServerThrottle, CountsNoLoginThatSucceeded) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(throttle.admit(attacker), seconds(0));
    throttle.forgive(attacker);
  }
}

}}  // namespace example::auth_server
