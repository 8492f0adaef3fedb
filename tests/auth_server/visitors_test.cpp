// Whom the example takes a browser for by its cookies, and what it does to them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "payload.hpp"
#include "running_server.hpp"
#include "store.hpp"

namespace example::auth_server { namespace {

using std::chrono::seconds;

class AuthServerVisitors : public RunningServer {
 protected:
  /// What a browser has after an answer: the cookies of before, but for those that the answer sets or removes.
  static std::string kept(std::string cookies, const httplib::Result& answer) {
    for (const auto& cookie : cookies_of(*answer)) {
      const auto name = cookie.substr(0, cookie.find('=') + 1);
      if (const auto at = cookies.find(name); at != std::string::npos)
        cookies.erase(at, cookies.find("; ", at) + 2 - at);
      if (!cookie.contains("Max-Age=0;")) cookies += cookie_header({cookie});
    }
    return cookies;
  }
  httplib::Result devices(const std::string& cookies) { return client->Get("/devices", {{"Cookie", cookies}}); }
  bool is_let_in(const std::string& cookies) { return devices(cookies)->status == 200; }
  std::vector<obol::Session> sessions_of(const std::string& name) {
    return site->sessions.list(site->accounts.users.find_by_name(name)->id).value();
  }
  void pass(seconds time) { now = now.load() + time; }
  const obol::SessionManagerOptions& options() const { return site->sessions.options(); }
};

TEST_F(AuthServerVisitors, AreKnownByTheAccessTokenWithoutAWrite) {
  const auto cookies = signed_up("user");
  const int writes = store->writes;
  const auto answer = devices(cookies);
  EXPECT_EQ(answer->status, 200);
  EXPECT_TRUE(cookies_of(*answer).empty());
  EXPECT_EQ(store->writes, writes);
}

TEST_F(AuthServerVisitors, GetACookieThatProvesTheDevice) {
  EXPECT_TRUE(signed_up("user").contains("obol_device=")) << "see LoginThrottle";
}

TEST_F(AuthServerVisitors, WithoutTokensKeepTheirCookies) {
  const auto answer = devices("obol_form=0123456789abcdefghijkl");
  EXPECT_EQ(answer->get_header_value("Location"), "/login");
  EXPECT_TRUE(cookies_of(*answer).empty());
}

TEST_F(AuthServerVisitors, GetNewTokensWhenTheAccessTokenHasExpired) {
  const auto cookies = signed_up("user");
  pass(options().access_lifetime);
  const auto answer = devices(cookies);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(cookies_of(*answer).size(), 2U);
  EXPECT_EQ(sessions_of("user").at(0).lock_version, 2);
  const auto renewed = kept(cookies, answer);
  EXPECT_NE(renewed, cookies);
  EXPECT_TRUE(cookies_of(*devices(renewed)).empty()) << "the new access token is good";
}

TEST_F(AuthServerVisitors, KeepTheirTokensForAsLongAsTheSessionCanLast) {
  auto cookies = signed_up("user");
  const auto step = options().refresh_lifetime / 2;
  auto left = *options().absolute_lifetime;
  for (; left > step; cookies = kept(cookies, devices(cookies))) {
    pass(step);
    left -= step;
    const auto answer = devices(cookies);
    ASSERT_EQ(answer->status, 200);
    const auto lifetime = fmt::format("Max-Age={};", std::min(left, options().refresh_lifetime).count());
    for (const auto& cookie : cookies_of(*answer)) EXPECT_TRUE(cookie.contains(lifetime)) << cookie;
  }
  pass(left);
  EXPECT_FALSE(is_let_in(cookies));
}

TEST_F(AuthServerVisitors, WithAReplacedRefreshTokenEndTheSessionForThiefAndOwner) {
  const auto stolen = signed_up("user");
  pass(options().access_lifetime);
  const auto owner = kept(stolen, devices(stolen));
  ASSERT_NE(owner, stolen);
  pass(options().overlap + seconds(1));
  const auto answer = devices(stolen);
  EXPECT_EQ(answer->get_header_value("Location"), "/login?notice=ended");
  EXPECT_FALSE(kept(stolen, answer).contains("obol_refresh"));
  EXPECT_FALSE(is_let_in(owner));
}

TEST_F(AuthServerVisitors, AreNotLoggedOutBecauseTheStoreIsNotAvailable) {
  const auto cookies = signed_up("user");
  store->is_unavailable = true;
  for (const auto time : {seconds(0), options().access_lifetime}) {
    pass(time);
    const auto answer = devices(cookies);
    EXPECT_EQ(answer->status, 503);
    EXPECT_TRUE(answer->has_header("Retry-After"));
    EXPECT_TRUE(cookies_of(*answer).empty());
  }
  store->is_unavailable = false;
  EXPECT_TRUE(is_let_in(cookies));
}

TEST_F(AuthServerVisitors, EndTheirEarlierSessionWhenTheyLogInAgain) {
  const auto before = signed_up("user");
  const auto elsewhere = signed_up("another");
  const auto page = client->Get("/login");
  const auto answer = send("/login", {{"name", "user"}, {"password", password}}, page, kept(before, page));
  ASSERT_EQ(answer->get_header_value("Location"), "/devices");
  EXPECT_FALSE(is_let_in(before));
  EXPECT_TRUE(is_let_in(kept(before, answer)));
  EXPECT_TRUE(is_let_in(elsewhere));
  EXPECT_EQ(sessions_of("user").size(), 1U);
}

TEST_F(AuthServerVisitors, LoseTheOtherSessionsAndAllTokensAndFormsOfBeforeWithANewPassword) {
  const auto cookies = signed_up("user");
  const auto other = kept({}, send_form("/login", {{"name", "user"}, {"password", password}}));
  const auto before = sessions_of("user");
  const auto answer =
      send_form("/password", {{"password", password}, {"new_password", "two coins for the ferryman"}}, cookies);
  ASSERT_EQ(answer->get_header_value("Location"), "/devices?notice=password-changed");
  EXPECT_FALSE(is_let_in(cookies));
  EXPECT_FALSE(is_let_in(other));
  EXPECT_TRUE(is_let_in(kept(cookies, answer)));
  const auto after = sessions_of("user");
  ASSERT_EQ(after.size(), 1U);
  const auto secret = after[0].payload<Payload>()->csrf_secret;
  EXPECT_FALSE(secret.empty());
  for (const auto& session : before) EXPECT_NE(secret, session.payload<Payload>()->csrf_secret);
  EXPECT_EQ(after[0].payload<Payload>()->device.name, before[0].payload<Payload>()->device.name);
}

TEST_F(AuthServerVisitors, WhoseSessionAnotherProgramWroteAreNobody) {
  const auto cookies = signed_up("user");
  auto session = sessions_of("user").at(0);
  session.extra_payload = "not ours";
  ASSERT_TRUE(memory.upsert(session));
  EXPECT_EQ(devices(cookies)->get_header_value("Location"), "/login?notice=ended");
}

// Somebody who knows the old password alone: its hash was read in time, and verified while the owner changed it.
TEST(AuthServerSessions, BegunWithAPasswordThatWasChangedMeanwhileAreRevoked) {
  Options options;
  options.sessions.keyring = obol::Keyring(obol::testing::signing_key());
  auto opened = open_sessions("", options.sessions);
  auto& manager = opened->manager;
  const auto now = [] { return std::chrono::floor<seconds>(std::chrono::system_clock::now()); };
  const auto owner = manager.log_in("user", "", now()).value();
  const auto hash_read_at = now();
  const auto early = manager.log_in("user", "", hash_read_at).value();
  ASSERT_TRUE(manager.secure(owner.session).value());
  EXPECT_EQ(manager.log_in("user", "", hash_read_at).error().code, obol::ErrorCode::revoked);
  EXPECT_FALSE(manager.authenticate(early.tokens.access).value());
  EXPECT_EQ(manager.list("user")->size(), 1U);
}

}}  // namespace example::auth_server
