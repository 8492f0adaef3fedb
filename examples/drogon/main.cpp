// Sessions in an HTTP server on Drogon: each of its event loops has a store of its own, which that loop drives, so that
// a handler goes on in the thread it began in.
// Usage: obol_drogon redis://host:port     OBOL_SECRET signs the sessions.
#include <drogon/drogon.h>
#include <drogon/utils/coroutine.h>
#include <trantor/net/Channel.h>
#include <trantor/net/EventLoop.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "obol/async_redis_store.hpp"
#include "obol/session_token.hpp"

namespace {

/// A store, and the loop that drives it. Made and destroyed in the loop's thread.
class LoopStore {
 public:
  LoopStore(trantor::EventLoop& loop, obol::AsyncRedisStore store)
      : store_(std::move(store)), channel_(&loop, store_.descriptor()) {
    channel_.setReadCallback([this] { store_.run_ready(); });
    channel_.enableReading();
  }
  ~LoopStore() {
    channel_.disableAll();
    channel_.remove();
  }
  LoopStore(const LoopStore&) = delete;
  LoopStore& operator=(const LoopStore&) = delete;

  obol::AsyncRedisStore& store() { return store_; }

 private:
  obol::AsyncRedisStore store_;
  trantor::Channel channel_;
};

thread_local std::optional<LoopStore> store_of_this_loop;

drogon::HttpResponsePtr answer(drogon::HttpStatusCode status, std::string body) {
  auto response = drogon::HttpResponse::newHttpResponse();
  response->setStatusCode(status);
  response->setContentTypeCode(drogon::CT_TEXT_PLAIN);
  response->setBody(std::move(body));
  return response;
}

drogon::Task<drogon::HttpResponsePtr> show_session(drogon::HttpRequestPtr request, const obol::Keyring& keyring) {
  auto key = obol::open_token(request->getCookie("session"), keyring);
  if (!key) co_return answer(drogon::k401Unauthorized, "log in first");
  const auto session = co_await store_of_this_loop->store().get(std::move(*key));
  if (!session) co_return answer(drogon::k503ServiceUnavailable, "try again later");
  if (!*session) co_return answer(drogon::k401Unauthorized, "log in again");
  co_return answer(drogon::k200OK, "you are " + (*session)->user_id);
}

int complain(const char* what, const obol::Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.message.c_str());
  return 1;
}

}  // namespace

int main(int argument_count, char** arguments) {
  const char* secret = std::getenv("OBOL_SECRET");
  if (argument_count != 2 || secret == nullptr) {
    std::fputs("usage: OBOL_SECRET=... obol_drogon redis://host:port\n", stderr);
    return 2;
  }
  auto connection = obol::ConnectionOptions::from_uri(arguments[1]);
  if (!connection) return complain("bad address", connection.error());
  const auto keyring = obol::Keyring::from_base_secret(secret);
  if (!keyring) return complain("bad OBOL_SECRET", keyring.error());
  const auto store = obol::AsyncRedisStore::connect({.connection = std::move(*connection), .keyring = *keyring});
  if (!store) return complain("no store", store.error());

  auto& app = drogon::app();
  app.addListener("127.0.0.1", 8080).setThreadNum(2);
  app.registerBeginningAdvice([&] {
    for (std::size_t index = 0; index < app.getThreadNum(); ++index) {
      auto* const loop = app.getIOLoop(index);
      loop->runInLoop([&, loop] {
        if (auto own = store->another()) store_of_this_loop.emplace(*loop, std::move(*own));
      });
      loop->runOnQuit([] { store_of_this_loop.reset(); });
    }
  });
  app.registerHandler("/session", [&](drogon::HttpRequestPtr request) -> drogon::Task<drogon::HttpResponsePtr> {
    if (!store_of_this_loop) co_return answer(drogon::k503ServiceUnavailable, "try again later");
    co_return co_await show_session(std::move(request), *keyring);
  });
  app.run();
}
