// What a hostile client gets out of the example.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "running_server.hpp"

namespace example::auth_server { namespace {

using AuthServer = RunningServer;

TEST_F(AuthServer, SendsBackNoFormCookieButItsOwn) {
  // The second is as long as a form secret once its escapes are decoded; so are those behind it.
  for (const auto* planted : {"%0d%0aSet-Cookie:evil=1", "%0d%0aSet-Cookie:evil=1234", "%0aSet-Cookie:evil=12345",
                              "0123456789evil%3b%20a=1", "0123456789evil%00abcdef", "0123456789012345678evil"}) {
    const auto answer = client->Get("/signup", {{"Cookie", std::string("obol_form=") + planted}});
    ASSERT_TRUE(answer);
    const auto cookies = cookies_of(*answer);
    ASSERT_EQ(cookies.size(), 1U) << planted;
    EXPECT_TRUE(std::regex_match(cookies[0], std::regex("obol_form=[A-Za-z0-9_-]{22}; Path=/; Max-Age=86400; HttpOnly; "
                                                        "SameSite=Lax")))
        << planted << " gave " << cookies[0];
    EXPECT_EQ(cookies[0].find("evil"), std::string::npos) << planted;
  }
}

TEST_F(AuthServer, KeepsTheFormCookieThatItMade) {
  const auto first = cookies_of(*client->Get("/signup")).at(0);
  const auto second = client->Get("/login", {{"Cookie", first.substr(0, first.find(';'))}});
  EXPECT_EQ(cookies_of(*second).at(0), first);
}

TEST_F(AuthServer, ReflectsNoRequestIntoAHeader) {
  const std::string hostile = "%0d%0aevil:1";
  for (const auto* path : {"/", "/devices", "/login", "/nowhere%0d%0aevil:1", "/login?notice=%0d%0aevil:1"}) {
    const auto answer = client->Get(
        path, {{"Cookie", "obol_access=" + hostile + "; obol_refresh=" + hostile + "; obol_device=" + hostile},
               {"User-Agent", hostile},
               {"Referer", hostile}});
    ASSERT_TRUE(answer);
    for (const auto& [name, value] : answer->headers) {
      EXPECT_EQ((name + value).find("evil"), std::string::npos) << path << ": " << name << ": " << value;
    }
  }
}

TEST_F(AuthServer, LetsOneNetworkMakeAFewAccountsAndNoMore) {
  const auto first = sign_up("first");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 303);
  while (site->accounts.throttle.admit_sign_up("this computer").count() == 0) continue;
  const auto refused = sign_up("second");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_TRUE(refused->has_header("Retry-After"));
  EXPECT_FALSE(site->accounts.users.find_by_name("second"));
}

TEST_F(AuthServer, HashesNoPasswordForANameThatIsTaken) {
  ASSERT_EQ(sign_up("taken")->status, 303);
  while (site->accounts.throttle.admit_sign_up("this computer").count() == 0) continue;
  EXPECT_EQ(sign_up("TAKEN")->status, 409);
}

TEST_F(AuthServer, ChangesNoPasswordWhereTheOtherSessionsCannotBeEnded) {
  const auto cookies = signed_up("user");
  const auto hash = site->accounts.users.find_by_name("user")->password_hash;
  const httplib::Params change{{"password", password}, {"new_password", "two coins for the ferryman"}};
  store->fails_to_delete_others = true;
  EXPECT_EQ(send_form("/password", change, cookies)->status, 503);
  EXPECT_EQ(site->accounts.users.find_by_name("user")->password_hash, hash);
  store->fails_to_delete_others = false;
  EXPECT_EQ(send_form("/password", change, cookies)->status, 303);
  EXPECT_NE(site->accounts.users.find_by_name("user")->password_hash, hash);
}

}}  // namespace example::auth_server
