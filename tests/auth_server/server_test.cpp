// The whole example behind a real socket: what a hostile client gets out of it.
#include "server.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "httplib.h"
#include "obol/memory_store.hpp"
#include "site.hpp"
#include "support/sessions.hpp"
#include "troubled_store.hpp"

namespace auth_server { namespace {

constexpr const char* here = "127.0.0.1";

class AuthServer : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_GE(::sodium_init(), 0);
    site =
        std::make_unique<Site>(store, obol::Keyring(obol::testing::signing_key()), SessionLifetimes{}, false, "test");
    server = make_server({}, *site).value();
    port = server->bind_to_any_port(here);
    ASSERT_GT(port, 0);
    listener = std::thread([this] { server->listen_after_bind(); });
    client = std::make_unique<httplib::Client>(here, port);
  }
  void TearDown() override {
    if (!listener.joinable()) return;
    while (!server->is_running()) std::this_thread::yield();
    server->stop();
    listener.join();
  }

  static std::vector<std::string> cookies_of(const httplib::Response& response) {
    std::vector<std::string> cookies;
    for (auto [at, end] = response.headers.equal_range("Set-Cookie"); at != end; ++at) cookies.push_back(at->second);
    return cookies;
  }

  /// What a browser sends back of them.
  static std::string cookie_header(const std::vector<std::string>& cookies) {
    std::string header;
    for (const auto& cookie : cookies) header += cookie.substr(0, cookie.find(';')) + "; ";
    return header;
  }

  /// Loads a form and sends it, as a browser with these cookies does; without any, with that of the form.
  httplib::Result send_form(const std::string& path, httplib::Params fields, std::string cookies = {}) {
    const auto page = client->Get(path, {{"Cookie", cookies}});
    if (!page) return client->Get(path);
    const std::regex field("name=\"form_token\" value=\"([^\"]*)\"");
    std::smatch token;
    EXPECT_TRUE(std::regex_search(page->body, token, field));
    fields.emplace("form_token", token.str(1));
    if (cookies.empty()) cookies = cookie_header(cookies_of(*page));
    return client->Post(path, {{"Origin", "http://127.0.0.1:" + std::to_string(port)}, {"Cookie", cookies}}, fields);
  }

  httplib::Result sign_up(const std::string& name) {
    return send_form("/signup", {{"name", name}, {"password", "a coin for the ferryman"}});
  }

  obol::MemoryStore memory;
  TroubledStore store{memory};
  std::unique_ptr<Site> site;
  std::unique_ptr<httplib::Server> server;
  std::unique_ptr<httplib::Client> client;
  std::thread listener;
  int port = 0;
};

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
  while (site->throttle.admit_sign_up("this computer").count() == 0) continue;
  const auto refused = sign_up("second");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_TRUE(refused->has_header("Retry-After"));
  EXPECT_FALSE(site->users.find_by_name("second"));
}

TEST_F(AuthServer, HashesNoPasswordForANameThatIsTaken) {
  ASSERT_EQ(sign_up("taken")->status, 303);
  while (site->throttle.admit_sign_up("this computer").count() == 0) continue;
  EXPECT_EQ(sign_up("TAKEN")->status, 409);
}

TEST_F(AuthServer, ChangesNoPasswordWhereTheOtherSessionsCannotBeEnded) {
  const auto cookies = cookie_header(cookies_of(*sign_up("user")));
  const auto hash = site->users.find_by_name("user")->password_hash;
  const httplib::Params change{{"password", "a coin for the ferryman"}, {"new_password", "two coins for the ferryman"}};
  store.fails_to_delete_others = true;
  EXPECT_EQ(send_form("/password", change, cookies)->status, 503);
  EXPECT_EQ(site->users.find_by_name("user")->password_hash, hash);
  store.fails_to_delete_others = false;
  EXPECT_EQ(send_form("/password", change, cookies)->status, 303);
  EXPECT_NE(site->users.find_by_name("user")->password_hash, hash);
}

}}  // namespace auth_server
