// Usage: obol_async_http_server redis://host:port [PORT]     OBOL_SECRET signs the sessions.
#include <fmt/core.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>

#include "obol/async_redis_store.hpp"
#include "server.hpp"

namespace {

int complain(std::string_view what, const obol::Error& error) {
  fmt::print(stderr, "{}: {}\n", what, error.message);
  return 1;
}

int run(const char* uri, std::uint16_t port, const char* secret) {
  auto connection = obol::ConnectionOptions::from_uri(uri);
  if (!connection) return complain("bad address", connection.error());
  auto keyring = obol::Keyring::from_base_secret(secret);
  if (!keyring) return complain("bad OBOL_SECRET", keyring.error());
  boost::asio::io_context context(1);  // Outlives the store, whose destructor posts the calls that are left.
  auto store = obol::AsyncRedisStore::connect({.connection = std::move(*connection), .keyring = *keyring});
  if (!store) return complain("no store", store.error());

  const obol::boost_asio::Driver driver(*store, context.get_executor());
  obol::boost_asio::Store<> sessions(*store, context.get_executor());
  async_http_server::Server server(sessions, std::move(*keyring));
  server.listen(port);
  fmt::print("listening on 127.0.0.1:{}\n", server.port());
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code&, int) { context.stop(); });
  context.run();
  return 0;
}

}  // namespace

int main(int argument_count, char** arguments) {
  const char* secret = std::getenv("OBOL_SECRET");
  if (argument_count < 2 || secret == nullptr) {
    fmt::print(stderr, "usage: OBOL_SECRET=… obol_async_http_server redis://host:port [PORT]\n");
    return 2;
  }
  try {
    return run(arguments[1], argument_count > 2 ? static_cast<std::uint16_t>(std::atoi(arguments[2])) : 8080, secret);
  } catch (const std::exception& failure) {
    fmt::print(stderr, "cannot serve: {}\n", failure.what());
    return 1;
  }
}
