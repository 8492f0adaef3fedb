// An HTTP server that logs in, refreshes and logs out.
#include "server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "obol/session_id.hpp"
#include "obol/session_token.hpp"

namespace async_http_server {

namespace net = boost::asio;
namespace http = boost::beast::http;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view cookie_name = "session=";
constexpr auto lifetime = std::chrono::days(14);
constexpr auto patience = 30s;
constexpr std::uint64_t max_body = 256;

// Failures are values: no exception leaves these.
constexpr auto in_tuple = net::as_tuple(net::use_awaitable);

std::chrono::sys_seconds now_in_seconds() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Server::Response say(http::status status, std::string body = {}) {
  Server::Response response(status, 11);
  response.set(http::field::content_type, "text/plain");
  response.set(http::field::cache_control, "no-store");
  response.body() = std::move(body);
  return response;
}

// Messages of errors are for the log: a client learns no more than whether to try again.
Server::Response say(const obol::Error& error) {
  if (error.code == obol::ErrorCode::gone || error.code == obol::ErrorCode::revoked) {
    return say(http::status::unauthorized, "log in again");
  }
  return say(http::status::service_unavailable, "try again later");
}

void set_cookie(Server::Response& response, std::string_view token, std::chrono::seconds age) {
  std::string cookie(cookie_name);
  cookie += token;
  cookie += "; HttpOnly; SameSite=Strict; Path=/; Max-Age=" + std::to_string(age.count());
  response.set(http::field::set_cookie, cookie);
}

std::optional<std::string> token_in(const Server::Request& request) {
  const auto field = request[http::field::cookie];
  std::string_view rest(field.data(), field.size());
  while (!rest.empty()) {
    const auto end = rest.find("; ");
    const auto cookie = rest.substr(0, end);
    if (cookie.starts_with(cookie_name)) return std::string(cookie.substr(cookie_name.size()));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 2);
  }
  return std::nullopt;
}

}  // namespace

Server::Server(Sessions& sessions, obol::Keyring keyring)
    : sessions_(sessions), keyring_(std::move(keyring)), acceptor_(sessions.get_executor()) {}

void Server::listen(std::uint16_t port) {
  const net::ip::tcp::endpoint here(net::ip::address_v4::loopback(), port);
  acceptor_.open(here.protocol());
  acceptor_.set_option(net::socket_base::reuse_address(true));
  acceptor_.bind(here);
  acceptor_.listen();
  net::co_spawn(acceptor_.get_executor(), accept(), net::detached);
}

std::uint16_t Server::port() const { return acceptor_.local_endpoint().port(); }

Server::Awaitable<> Server::accept() {
  net::steady_timer pause(acceptor_.get_executor());
  for (;;) {
    auto [error, socket] = co_await acceptor_.async_accept(in_tuple);
    if (error == net::error::operation_aborted) co_return;
    if (error) {  // No descriptor is left, for example.
      pause.expires_after(100ms);
      static_cast<void>(co_await pause.async_wait(in_tuple));
      continue;
    }
    net::co_spawn(acceptor_.get_executor(), serve(boost::beast::tcp_stream(std::move(socket))), net::detached);
  }
}

Server::Awaitable<> Server::serve(boost::beast::tcp_stream stream) {
  boost::beast::flat_buffer buffer;
  for (bool goes_on = true; goes_on;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(max_body);
    stream.expires_after(patience);
    if (const auto [error, bytes] = co_await http::async_read(stream, buffer, parser, in_tuple); error) co_return;
    const Request request = parser.release();
    Response response = co_await answer(request);
    goes_on = request.keep_alive();
    response.keep_alive(goes_on);
    response.prepare_payload();
    stream.expires_after(patience);
    if (const auto [error, bytes] = co_await http::async_write(stream, response, in_tuple); error) co_return;
  }
}

Server::Awaitable<Server::Response> Server::answer(const Request& request) {
  const auto target = request.target();
  const bool posts = request.method() == http::verb::post;
  if (posts && target == "/login") co_return co_await log_in(request);
  const bool is_known = (request.method() == http::verb::get && target == "/session") ||
                        (posts && (target == "/refresh" || target == "/logout"));
  if (!is_known) co_return say(http::status::not_found);

  const auto token = token_in(request);
  if (!token) co_return say(http::status::unauthorized, "log in first");
  auto key = obol::open_token(*token, keyring_);
  if (!key) co_return say(http::status::unauthorized, "log in again");
  if (target == "/session") co_return co_await show(std::move(*key));
  if (target == "/refresh") co_return co_await refresh(std::move(*key));
  co_return co_await log_out(std::move(*key));
}

Server::Awaitable<Server::Response> Server::log_in(const Request& request) {
  if (request.body().empty()) co_return say(http::status::bad_request, "the body is the user's name");
  auto id = obol::generate_session_id();
  if (!id) co_return say(id.error());
  const auto now = now_in_seconds();
  const obol::Session session{.id = std::move(*id),
                              .user_id = request.body(),
                              .created_at = now,
                              .refreshed_at = now,
                              .refresh_expires_at = now + lifetime};
  const auto token = obol::issue_token(session.key(), keyring_);
  if (!token) co_return say(token.error());
  const auto stored = co_await sessions_.upsert(session);
  if (!stored) co_return say(stored.error());
  auto response = say(http::status::ok, "welcome " + session.user_id);
  set_cookie(response, *token, lifetime);
  co_return response;
}

Server::Awaitable<Server::Response> Server::show(obol::SessionKey key) {
  const auto session = co_await sessions_.get(std::move(key));
  if (!session) co_return say(session.error());
  if (!*session) co_return say(http::status::unauthorized, "log in again");
  co_return say(http::status::ok, "you are " + (*session)->user_id);
}

Server::Awaitable<Server::Response> Server::refresh(obol::SessionKey key) {
  auto found = co_await sessions_.get(key);
  if (!found) co_return say(found.error());
  if (!*found) co_return say(http::status::unauthorized, "log in again");
  auto& session = **found;
  session.refreshed_at = now_in_seconds();
  session.refresh_expires_at = session.refreshed_at + lifetime;
  const auto stored = co_await sessions_.upsert(std::move(session));
  // Another tab was faster: its refresh is as good.
  const bool is_refreshed = stored || stored.error().code == obol::ErrorCode::conflict;
  if (!is_refreshed) co_return say(stored.error());
  const auto token = obol::issue_token(key, keyring_);
  if (!token) co_return say(token.error());
  auto response = say(http::status::ok, "refreshed");
  set_cookie(response, *token, lifetime);
  co_return response;
}

Server::Awaitable<Server::Response> Server::log_out(obol::SessionKey key) {
  const auto deleted = co_await sessions_.delete_one(std::move(key));
  if (!deleted) co_return say(deleted.error());
  auto response = say(http::status::ok, "goodbye");
  set_cookie(response, "", 0s);
  co_return response;
}

}  // namespace async_http_server
