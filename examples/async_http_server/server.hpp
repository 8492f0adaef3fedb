// An HTTP server that logs in, refreshes and logs out: Boost.Beast with coroutines, and sessions without a blocked
// thread. Who the user is, it believes; a real one checks a password first (see examples/auth_server).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>

#include "obol/boost_asio.hpp"
#include "obol/keyring.hpp"

namespace async_http_server {

/// POST /login (the body is the user's name), GET /session, POST /refresh, POST /logout. The session's token is in a
/// cookie.
class Server {
 public:
  using Sessions = obol::boost_asio::Store<>;
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  Server(Sessions& sessions, obol::Keyring keyring);

  /// Listens on 127.0.0.1; port 0: any free one. Throws system_error of Boost.
  void listen(std::uint16_t port);
  std::uint16_t port() const;

 private:
  template <class T = void>
  using Awaitable = boost::asio::awaitable<T>;

  Awaitable<> accept();
  Awaitable<> serve(boost::beast::tcp_stream stream);
  Awaitable<Response> answer(const Request& request);
  Awaitable<Response> log_in(const Request& request);
  Awaitable<Response> show(obol::SessionKey key);
  Awaitable<Response> refresh(obol::SessionKey key);
  Awaitable<Response> log_out(obol::SessionKey key);

  Sessions& sessions_;
  const obol::Keyring keyring_;
  boost::asio::ip::tcp::acceptor acceptor_;
};

}  // namespace async_http_server
