// The event streams of browsers: what they are told, how many there may be, and what ends them.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "running_server.hpp"
#include "store.hpp"
#include "support/await.hpp"
#include "support/server_test.hpp"

namespace example::auth_server { namespace {

using obol::testing::await;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::string_view live = "event: live\ndata:\n\n";
constexpr std::string_view removed = "event: ended\ndata: removed\n\n";
constexpr std::string_view expired = "event: ended\ndata: expired\n\n";

/// A request for /events that reads in a thread of its own.
class EventReader {
 public:
  EventReader(const obol::testing::Served& served, const std::string& cookies)
      : client_(served.client()), thread_([this, cookies] { read(cookies); }) {}
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;
  ~EventReader() { client_->stop(); }

  std::string text() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }
  bool has_ended() const {
    const std::scoped_lock lock(mutex_);
    return has_ended_;
  }
  void await_text(std::string_view wanted) const {
    await(std::string(wanted), [&] { return text() == wanted; });
  }
  /// That the stream has said this, and has been closed by the server.
  void await_end(std::string_view wanted) const {
    await("the end of the stream", [this] { return has_ended(); });
    EXPECT_EQ(text(), std::string(live) + std::string(wanted));
  }

 private:
  void read(const std::string& cookies) {
    client_->Get("/events", {{"Cookie", cookies}}, [this](const char* data, std::size_t size) {
      const std::scoped_lock lock(mutex_);
      text_.append(data, size);
      return true;
    });
    const std::scoped_lock lock(mutex_);
    has_ended_ = true;
  }

  std::unique_ptr<httplib::Client> client_;
  mutable std::mutex mutex_;
  std::string text_;
  bool has_ended_ = false;
  std::jthread thread_;
};

class AuthServerEvents : public RunningServer {
 protected:
  httplib::Result events(const std::string& cookies) { return client->Get("/events", {{"Cookie", cookies}}); }
  std::string logged_in(const std::string& name) {
    return cookie_header(cookies_of(*send_form("/login", {{"name", name}, {"password", password}})));
  }
  httplib::Result log_out_others(const std::string& cookies) {
    return send("/devices/logout-others", {}, client->Get("/devices", {{"Cookie", cookies}}), cookies);
  }
};

TEST_F(AuthServerEvents, TellWithinASecondThatAnotherDeviceLoggedThisOneOut) {
  const auto own = signed_up("user");
  const auto other = logged_in("user");
  const EventReader reader(*served, own);
  const EventReader reader_of_other(*served, other);
  reader.await_text(live);
  reader_of_other.await_text(live);
  ASSERT_EQ(log_out_others(other)->status, 303);
  const auto logged_out_at = steady_clock::now();
  reader.await_end(removed);
  EXPECT_LT(steady_clock::now() - logged_out_at, seconds(1));
  EXPECT_EQ(reader_of_other.text(), live);
}

TEST_F(AuthServerEvents, TellThatEveryDeviceIsLoggedOut) {
  const auto own = signed_up("user");
  const EventReader reader(*served, own);
  const EventReader reader_of_other(*served, logged_in("user"));
  reader.await_text(live);
  reader_of_other.await_text(live);
  ASSERT_TRUE(site->sessions.log_out_everywhere(site->accounts.users.find_by_name("user")->id));
  reader.await_end(removed);
  reader_of_other.await_end(removed);
}

TEST_F(AuthServerEvents, TellThatTheSessionHasExpired) {
  const EventReader reader(*served, signed_up("user"));
  reader.await_text(live);
  now = now.load() + site->sessions.options().refresh_lifetime;
  reader.await_end(expired);
}

TEST_F(AuthServerEvents, GoOnWhenTheSessionIsRefreshed) {
  const auto cookies = signed_up("user");
  const EventReader reader(*served, cookies);
  reader.await_text(live);
  now = now.load() + site->sessions.options().access_lifetime;
  const int writes = store->writes;
  ASSERT_EQ(client->Get("/devices", {{"Cookie", cookies}})->status, 200);
  ASSERT_EQ(store->writes, writes + 1);
  const auto again = logged_in("user");
  ASSERT_EQ(log_out_others(again)->status, 303);
  reader.await_end(removed);
}

TEST_F(AuthServerEvents, OfABrowserThatChangedThePasswordAreOpenedAnew) {
  const auto cookies = signed_up("user");
  const EventReader before(*served, cookies);
  before.await_text(live);
  const auto answer =
      send_form("/password", {{"password", password}, {"new_password", "two coins for the ferryman"}}, cookies);
  ASSERT_EQ(answer->status, 303);
  before.await_end(removed);
  const EventReader after(*served, cookie_header(cookies_of(*answer)));
  after.await_text(live);
}

TEST_F(AuthServerEvents, BringNewTokensWhenTheAccessTokenHasExpired) {
  const auto cookies = signed_up("user");
  now = now.load() + site->sessions.options().access_lifetime;
  const int writes = store->writes;
  const EventReader reader(*served, cookies);
  reader.await_text(live);
  EXPECT_EQ(store->writes, writes + 1);
}

// A password that is changed in another tab replaces the cookies; an answer to older ones must not remove them.
TEST_F(AuthServerEvents, TellWhoeverIsNotLoggedInAndLeaveTheCookies) {
  const auto cookies = signed_up("user");
  ASSERT_TRUE(site->sessions.log_out_everywhere(site->accounts.users.find_by_name("user")->id));
  for (const auto& sent : {cookies, std::string()}) {
    const auto answer = events(sent);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->get_header_value("Content-Type"), "text/event-stream");
    EXPECT_EQ(answer->body, removed);
    EXPECT_TRUE(cookies_of(*answer).empty());
  }
}

TEST_F(AuthServerEvents, AreNotEndedBecauseTheStoreIsNotAvailable) {
  const auto cookies = signed_up("user");
  store->is_unavailable = true;
  const auto answer = events(cookies);
  EXPECT_EQ(answer->status, 503);
  EXPECT_TRUE(answer->has_header("Retry-After"));
}

TEST_F(AuthServerEvents, AreThirtyTwoAtOnceAndLeaveThreadsForOtherRequests) {
  const auto cookies = signed_up("user");
  std::list<EventReader> readers;
  for (std::ptrdiff_t i = 0; i < EventStreams::most_at_once; ++i)
    readers.emplace_back(*served, cookies).await_text(live);
  const auto refused = events(cookies);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->get_header_value("Retry-After"), "5");
  EXPECT_EQ(client->Get("/devices", {{"Cookie", cookies}})->status, 200);

  readers.pop_front();
  await("the place of a browser that has gone", [&] {
    readers.emplace_back(*served, cookies);
    await("an answer", [&] { return !readers.back().text().empty(); });
    if (readers.back().text() == live) return true;
    readers.pop_back();
    return false;
  });
}

TEST_F(AuthServerEvents, EndWithTheServerAtOnce) {
  const auto cookies = signed_up("user");
  std::list<EventReader> readers;
  for (int i = 0; i < 8; ++i) readers.emplace_back(*served, cookies).await_text(live);
  const auto stopped_at = steady_clock::now();
  served.reset();
  EXPECT_LT(steady_clock::now() - stopped_at, seconds(2));
  for (const auto& reader : readers) reader.await_end("");
}

class AuthServerEventsOnAServer : public obol::testing::ServerTest {};

TEST_P(AuthServerEventsOnAServer, TellWhatAnotherProcessDid) {
  Options options;
  options.sessions.keyring = obol::Keyring(obol::testing::signing_key());
  options.sessions.session_type = "web";
  auto opened = open_sessions("unix://" + server.socket_path(), options.sessions, true).value();
  Site site(std::move(opened.manager), std::move(opened.watch).value(), options.sessions.keyring, false,
            opened.kept_in);
  const auto login =
      site.sessions.log_in("user", "", std::chrono::floor<seconds>(std::chrono::system_clock::now())).value();
  const obol::testing::Served served(make_server({}, site).value());
  const EventReader reader(served, "obol_access=" + login.tokens.access);
  reader.await_text(live);
  auto elsewhere = open_sessions("unix://" + server.socket_path(), options.sessions).value();
  ASSERT_TRUE(elsewhere.manager.log_out_everywhere("user"));
  const auto logged_out_at = steady_clock::now();
  reader.await_end(removed);
  EXPECT_LT(steady_clock::now() - logged_out_at, seconds(1));
}

OBOL_ON_BOTH_SERVERS(AuthServerEventsOnAServer);

}}  // namespace example::auth_server
