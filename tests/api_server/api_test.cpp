// The API behind a real socket: who is admitted, what is refused and how, and what a logout ends.
#include "api.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "obol/memory_store.hpp"
#include "store.hpp"
#include "support/served.hpp"
#include "support/sessions.hpp"
#include "support/troubled_store.hpp"

namespace example::api_server { namespace {

using Json = nlohmann::json;
using std::chrono::seconds;

class ApiServer : public ::testing::Test {
 protected:
  struct Answer {
    int status = 0;
    Json body{};
    httplib::Headers headers{};
  };
  struct Tokens {
    std::string access;
    std::string refresh;
  };

  void SetUp() override {
    ASSERT_GE(::sodium_init(), 0);
    Options options;
    options.sessions.keyring = obol::Keyring(obol::testing::signing_key());
    options.sessions.session_type = "api";
    options.sessions.clock = clock();
    api = std::make_unique<Api>(obol::SessionManager::create(store, options.sessions).value());
    served = std::make_unique<obol::testing::Served>(make_server(options, *api).value());
    ASSERT_GT(served->port(), 0);
    client = served->client();
  }

  obol::Clock clock() {
    return [this] { return std::chrono::system_clock::time_point(now.load()); };
  }
  void pass(seconds time) { now = now.load() + time; }
  const obol::SessionManagerOptions& options() const { return api->sessions.options(); }

  static Answer read(const httplib::Result& result) {
    if (!result) return {};
    return {.status = result->status, .body = Json::parse(result->body, nullptr, false), .headers = result->headers};
  }
  static httplib::Headers bearing(const std::string& token) {
    return token.empty() ? httplib::Headers() : httplib::Headers{{"Authorization", "Bearer " + token}};
  }
  Answer post(const std::string& path, const Json& body, const std::string& token = {}) {
    return read(client->Post(path, bearing(token), body.dump(), "application/json"));
  }
  Answer get(const std::string& path, const std::string& token) { return read(client->Get(path, bearing(token))); }

  static Tokens tokens_of(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    return {answer.body.value("access_token", ""), answer.body.value("refresh_token", "")};
  }
  Tokens log_in(const std::string& device = "phone") {
    return tokens_of(post("/login", {{"name", "user"}, {"password", password}, {"device", device}}));
  }
  Tokens signed_up() {
    EXPECT_EQ(post("/users", {{"name", "user"}, {"password", password}}).status, 201);
    return log_in();
  }
  static std::string challenge_of(const Answer& answer) {
    const auto header = answer.headers.find("WWW-Authenticate");
    return header == answer.headers.end() ? "" : header->second;
  }

  const std::string password = "a coin for the ferryman";
  std::atomic<std::chrono::system_clock::duration> now{obol::testing::now_in_seconds().time_since_epoch()};
  obol::MemoryStore memory{{.clock = clock()}};
  std::shared_ptr<obol::testing::TroubledStore> store = std::make_shared<obol::testing::TroubledStore>(memory);
  std::unique_ptr<Api> api;
  std::unique_ptr<obol::testing::Served> served;
  std::unique_ptr<httplib::Client> client;
};

TEST_F(ApiServer, AdmitsWhoLoggedIn) {
  EXPECT_EQ(post("/users", {{"name", "user"}, {"password", password}}).status, 201);
  const auto login = post("/login", {{"name", "user"}, {"password", password}, {"device", "phone"}});
  EXPECT_EQ(login.body.at("token_type"), "Bearer");
  EXPECT_EQ(login.body.at("expires_in"), options().access_lifetime.count());
  EXPECT_EQ(login.headers.find("Cache-Control")->second, "no-store");
  const auto access = tokens_of(login).access;
  EXPECT_EQ(get("/me", access).body.at("user_id"), api->accounts.users.find_by_name("user")->id);
  const auto sessions = get("/sessions", access).body.at("sessions");
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].at("device"), "phone");
  EXPECT_EQ(sessions[0].at("is_this"), true);
}

TEST_F(ApiServer, LogsNobodyInWithAWrongPasswordOrName) {
  signed_up();
  const auto wrong = post("/login", {{"name", "user"}, {"password", "wrong"}, {"device", ""}});
  const auto nobody = post("/login", {{"name", "nobody"}, {"password", password}, {"device", ""}});
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(nobody.status, 401);
  EXPECT_EQ(wrong.body, nobody.body);
}

TEST_F(ApiServer, ChallengesWithoutAnErrorWhoSendsNoToken) {
  for (const auto* path : {"/me", "/sessions"}) {
    const auto answer = get(path, "");
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(challenge_of(answer), R"(Bearer realm="api")") << path;
  }
}

TEST_F(ApiServer, SaysInvalidTokenOfAllThatAreNotValid) {
  const auto tokens = signed_up();
  auto changed = tokens.access;
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  pass(seconds(1));
  for (const auto& token : {std::string("forged"), changed, tokens.refresh}) {
    for (const auto* path : {"/me", "/sessions"}) {
      const auto answer = get(path, token);
      EXPECT_EQ(answer.status, 401);
      EXPECT_TRUE(challenge_of(answer).starts_with(R"(Bearer realm="api", error="invalid_token")")) << path;
    }
  }
  pass(options().access_lifetime);
  EXPECT_TRUE(challenge_of(get("/me", tokens.access)).contains("invalid_token")) << "expired";
}

TEST_F(ApiServer, SaysInvalidRequestOfAMalformedHeader) {
  const auto answer = read(client->Get("/me", httplib::Headers{{"Authorization", "Bearer a b"}}));
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(challenge_of(answer).contains("invalid_request"));
}

TEST_F(ApiServer, ExchangesARefreshTokenForNewOnes) {
  const auto tokens = signed_up();
  pass(options().access_lifetime);
  const auto renewed = tokens_of(post("/refresh", {{"refresh_token", tokens.refresh}}));
  EXPECT_EQ(get("/sessions", renewed.access).status, 200);
  const auto refused = post("/refresh", {{"refresh_token", renewed.access}});
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body.at("error"), "invalid_grant");
}

TEST_F(ApiServer, EndsTheSessionOfAReusedRefreshToken) {
  const auto tokens = signed_up();
  pass(options().access_lifetime);
  const auto owner = tokens_of(post("/refresh", {{"refresh_token", tokens.refresh}}));
  pass(options().overlap + seconds(1));
  EXPECT_EQ(post("/refresh", {{"refresh_token", tokens.refresh}}).body.at("error"), "invalid_grant");
  EXPECT_EQ(get("/sessions", owner.access).status, 401);
}

TEST_F(ApiServer, SeesALogoutAtOnceWhereItMattersAndElsewhereWhenTheTokenExpires) {
  const auto tokens = signed_up();
  EXPECT_EQ(post("/logout", {}, tokens.access).status, 200);
  EXPECT_EQ(post("/logout", {}, tokens.access).status, 200) << "again";
  EXPECT_EQ(get("/sessions", tokens.access).status, 401);
  EXPECT_EQ(post("/refresh", {{"refresh_token", tokens.refresh}}).status, 400);
  EXPECT_EQ(get("/me", tokens.access).status, 200);
  pass(options().access_lifetime);
  EXPECT_EQ(get("/me", tokens.access).status, 401);
}

TEST_F(ApiServer, LogsTheOtherDevicesOut) {
  const auto other = signed_up();
  const auto mine = log_in("laptop");
  EXPECT_EQ(read(client->Delete("/sessions/others", bearing(mine.access))).status, 200);
  EXPECT_EQ(get("/sessions", other.access).status, 401);
  EXPECT_EQ(get("/sessions", mine.access).body.at("sessions").size(), 1U);
}

TEST_F(ApiServer, EndsEveryOtherSessionAndAllOldTokensWithANewPassword) {
  const auto other = signed_up();
  const auto mine = log_in("laptop");
  const Json change{{"password", password}, {"new_password", "two coins for the ferryman"}};
  EXPECT_EQ(post("/password", {{"password", "wrong"}, {"new_password", "two coins for him"}}, mine.access).status, 401);
  store->fails_to_delete_others = true;
  EXPECT_EQ(post("/password", change, mine.access).status, 503) << "and nothing is changed";
  store->fails_to_delete_others = false;
  const auto secured = tokens_of(post("/password", change, mine.access));
  for (const auto& token : {other.access, mine.access}) EXPECT_EQ(get("/sessions", token).status, 401);
  EXPECT_EQ(get("/sessions", secured.access).status, 200);
}

TEST_F(ApiServer, SaysTryLaterWithoutTheStoreAndChallengesNobody) {
  const auto tokens = signed_up();
  store->is_unavailable = true;
  for (const auto& answer : {get("/sessions", tokens.access), post("/refresh", {{"refresh_token", tokens.refresh}})}) {
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.headers.count("Retry-After"), 1U);
    EXPECT_EQ(challenge_of(answer), "");
  }
  EXPECT_EQ(get("/me", tokens.access).status, 200) << "needs no store";
  store->is_unavailable = false;
  EXPECT_EQ(get("/sessions", tokens.access).status, 200);
}

TEST_F(ApiServer, RefusesBodiesThatAreNotWhatItAskedFor) {
  for (const std::string body : {"", "{", "[]", "null", "\"name\"", R"({"name":"user"})", R"({"name":1,"password":2})",
                                 R"({"name":"user","password":null})", "\xff\xfe", R"({"name":"\ud800"})"}) {
    for (const auto* path : {"/users", "/login", "/refresh"}) {
      const auto answer = read(client->Post(path, body, "application/json"));
      EXPECT_EQ(answer.status, 400) << path << body;
      EXPECT_EQ(answer.body.value("error", ""), "invalid_request") << path << body;
    }
  }
  EXPECT_EQ(read(client->Post("/users", std::string(100'000, '['), "application/json")).status, 413);
  EXPECT_EQ(get("/nowhere", "").status, 404);
}

TEST_F(ApiServer, LimitsAttemptsAndSaysWhenToTryAgain) {
  signed_up();
  while (api->accounts.throttle.admit({.account = "user", .network = "127.0.0.1"}) == seconds(0)) continue;
  const auto answer = post("/login", {{"name", "user"}, {"password", password}, {"device", ""}});
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.headers.count("Retry-After"), 1U);
}

}}  // namespace example::api_server
