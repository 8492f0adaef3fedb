// RedisStore or MemoryStore with the same policy, and an observer that reports events to the operator.
#include "store.hpp"

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "log.hpp"
#include "obol/memory_store.hpp"
#include "obol/observer.hpp"
#include "obol/redis_store.hpp"
#include "obol/session_policy.hpp"

namespace example {
namespace {

class Log final : public obol::Observer {
 public:
  void on_finding(const obol::Finding& finding) noexcept override {
    log_line(fmt::format("obol: {}: {}", obol::to_string(finding.severity), finding.message));
  }
  void on_verification_failed(const obol::VerificationFailedEvent& event) noexcept override {
    log_line(fmt::format("obol: the stored session {} is not genuine", event.id_hash));
  }
  void on_token_reused(const obol::TokenReusedEvent& event) noexcept override {
    log_line(fmt::format("obol: a replaced refresh token of session {} was used again", event.id_hash));
  }
  void on_connection_opened(const obol::ConnectionEvent& event) noexcept override {
    const std::scoped_lock lock(mutex_);
    server_ = event.server;
  }
  std::string server() const {
    const std::scoped_lock lock(mutex_);
    return server_;
  }

 private:
  mutable std::mutex mutex_;
  std::string server_;
};

// A user who logs in again and again drops the oldest of his own sessions and does not fill the server. A change of the
// password ends the other sessions by delete_others. Its mark also refuses logins that have read the old hash and are
// still verifying it: that takes seconds, and the mark stays for minutes.
constexpr obol::SessionPolicy policy{.max_sessions = 20,
                                     .when_full = obol::WhenFull::evict,
                                     .revocation_mark_lifetime = std::chrono::minutes(10),
                                     .mark_on_delete_others = true};

struct Opened {
  std::shared_ptr<obol::SessionStore> store{};
  std::optional<obol::SessionWatch> watch{};
};

obol::Result<Opened> with(std::shared_ptr<obol::SessionStore> store, obol::Result<obol::SessionWatch> watch) {
  if (!watch) return std::unexpected(std::move(watch.error()));
  return Opened{.store = std::move(store), .watch = std::move(*watch)};
}

obol::Result<Opened> open_memory(const std::shared_ptr<Log>& log, bool with_watch) {
  const auto store = std::make_shared<obol::MemoryStore>(obol::MemoryStoreOptions{.policy = policy, .observer = log});
  return with_watch ? with(store, obol::SessionWatch::over(*store)) : Opened{.store = store};
}

obol::Result<Opened> open_redis(const std::string& uri, const obol::Keyring& keyring, const std::shared_ptr<Log>& log,
                                bool with_watch) {
  auto connection = obol::ConnectionOptions::from_uri(uri);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const obol::RedisStoreOptions options{
      .connection = std::move(*connection), .keyring = keyring, .policy = policy, .observer = log};
  auto opened = obol::RedisStore::connect(options);
  if (!opened) return std::unexpected(std::move(opened.error()));
  auto store = std::make_shared<obol::RedisStore>(std::move(*opened));
  return with_watch ? with(store, obol::SessionWatch::connect(options)) : Opened{.store = store};
}

}  // namespace

obol::Result<OpenSessions> open_sessions(const std::string& redis_uri, obol::SessionManagerOptions options,
                                         bool with_watch) {
  const auto log = std::make_shared<Log>();
  options.observer = log;
  auto opened =
      redis_uri.empty() ? open_memory(log, with_watch) : open_redis(redis_uri, options.keyring, log, with_watch);
  if (!opened) return std::unexpected(std::move(opened.error()));
  auto manager = obol::SessionManager::create(std::move(opened->store), std::move(options));
  if (!manager) return std::unexpected(std::move(manager.error()));
  return OpenSessions{.manager = std::move(*manager),
                      .watch = std::move(opened->watch),
                      .kept_in = redis_uri.empty() ? "this process" : log->server()};
}

}  // namespace example
