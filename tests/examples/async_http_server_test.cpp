// The HTTP server with coroutines, behind a real socket and on a real server of sessions.
#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "obol/async_redis_store.hpp"
#include "server.hpp"
#include "support/server_test.hpp"
#include "support/sessions.hpp"

namespace obol::testing { namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;

/// A browser with one cookie.
class Browser {
 public:
  explicit Browser(std::uint16_t port) : socket_(context_) { socket_.connect({net::ip::address_v4::loopback(), port}); }

  std::string post(const std::string& target, std::string body = {}) {
    return ask(http::verb::post, target, std::move(body));
  }
  std::string get(const std::string& target) { return ask(http::verb::get, target, {}); }

  std::string cookie;

 private:
  /// "200 what it says"
  std::string ask(http::verb method, const std::string& target, std::string body) {
    http::request<http::string_body> request(method, target, 11, std::move(body));
    if (!cookie.empty()) request.set(http::field::cookie, cookie);
    request.prepare_payload();
    http::write(socket_, request);
    http::response<http::string_body> response;
    http::read(socket_, buffer_, response);
    const std::string set(response[http::field::set_cookie]);
    if (!set.empty()) cookie = set.substr(0, set.find(';'));
    return std::to_string(response.result_int()) + " " + response.body();
  }

  net::io_context context_;
  net::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
};

class AsyncHttpServer : public ServerTest {
 protected:
  void SetUp() override {
    web_.listen(0);
    thread_ = std::jthread([this] { context_.run(); });
  }
  void TearDown() override {
    context_.stop();
    thread_.join();
  }

  net::io_context context_;
  AsyncRedisStore store_ = AsyncRedisStore::connect(options_for(server)).value();
  boost_asio::Driver driver_{store_, context_.get_executor()};
  boost_asio::Store<> sessions_{store_, context_.get_executor()};
  async_http_server::Server web_{sessions_, Keyring(signing_key())};
  std::jthread thread_;
};

TEST_P(AsyncHttpServer, LogsInRefreshesAndLogsOut) {
  Browser browser(web_.port());
  EXPECT_EQ(browser.get("/session"), "401 log in first");
  EXPECT_EQ(browser.post("/login", "ann"), "200 welcome ann");
  EXPECT_EQ(browser.get("/session"), "200 you are ann");
  EXPECT_EQ(browser.post("/refresh"), "200 refreshed");
  const auto kept = browser.cookie;
  EXPECT_EQ(browser.post("/logout"), "200 goodbye");
  browser.cookie = kept;
  EXPECT_EQ(browser.get("/session"), "401 log in again");
  EXPECT_EQ(browser.post("/refresh"), "401 log in again");
}

TEST_P(AsyncHttpServer, RefusesAForgedToken) {
  Browser browser(web_.port());
  browser.post("/login", "ann");
  auto& last = browser.cookie.at(browser.cookie.size() - 2);
  last = last == 'A' ? 'B' : 'A';
  EXPECT_EQ(browser.get("/session"), "401 log in again");
}

TEST_P(AsyncHttpServer, AnswersIfItsStoreDoesNot) {
  Browser browser(web_.port());
  browser.post("/login", "ann");
  store_.close();
  EXPECT_EQ(browser.get("/session"), "503 try again later");
  EXPECT_EQ(browser.get("/elsewhere"), "404 ");
}

TEST_P(AsyncHttpServer, AClientThatIsGoneEndsNothing) {
  {
    Browser gone(web_.port());
    gone.post("/login", "ben");
  }
  Browser browser(web_.port());
  EXPECT_EQ(browser.post("/login", "ann"), "200 welcome ann");
}

OBOL_ON_BOTH_SERVERS(AsyncHttpServer);

}}  // namespace obol::testing
