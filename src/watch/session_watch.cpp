// SessionWatch: how it comes up, and hands its calls on.
#include "obol/session_watch.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/process_end.hpp"
#include "obol/session_limits.hpp"
#include "options/redis_store_options.hpp"
#include "store/session_commands.hpp"
#include "values/refusal.hpp"
#include "watch/memory_watch_feed.hpp"
#include "watch/redis_watch_feed.hpp"
#include "watch/watch_core.hpp"

namespace obol { inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds least_staleness{100};
constexpr std::chrono::milliseconds most_staleness{60'000};

/// For a handler that runs when the process ends.
constexpr std::chrono::seconds patience_at_end{1};

Result<void> validate(const SessionWatchOptions& options) {
  if (options.max_staleness >= least_staleness && options.max_staleness <= most_staleness) return {};
  return v0::refuse(
      fmt::format("max_staleness is {} ms; 100 ms to 1 minute are allowed", options.max_staleness.count()));
}

}  // namespace

std::string_view to_string(SessionStatus status) noexcept {
  switch (status) {
    case SessionStatus::live:
      return "live";
    case SessionStatus::unknown:
      return "unknown";
    case SessionStatus::ended:
      break;
  }
  return "ended";
}

std::string_view to_string(SessionEnd end) noexcept { return end == SessionEnd::expired ? "expired" : "removed"; }

WatchHandle& WatchHandle::operator=(WatchHandle&& other) noexcept {
  if (this != &other) {
    end();
    watch_ = std::move(other.watch_);
  }
  return *this;
}

void WatchHandle::end() noexcept {
  if (const auto watch = std::exchange(watch_, nullptr)) watch->end();
}

class [[gnu::visibility("hidden")]] SessionWatch::Implementation {
 public:
  Implementation(std::shared_ptr<WatchCore> core, std::string prefix)
      : core_(std::move(core)),
        prefix_(std::move(prefix)),
        process_end_registration_([this] { core_->close(WatchTable::Steady::now() + patience_at_end); }) {}
  ~Implementation() { core_->close(); }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  WatchCore& core() { return *core_; }
  const std::string& prefix() const { return prefix_; }

 private:
  const std::shared_ptr<WatchCore> core_;
  const std::string prefix_;
  ProcessEndRegistration process_end_registration_;
};

Result<SessionWatch> SessionWatch::connect(const RedisStoreOptions& store, SessionWatchOptions options) {
  if (auto valid = v0::validate(store); !valid) return std::unexpected(std::move(valid.error()));
  if (auto valid = validate(options); !valid) return std::unexpected(std::move(valid.error()));
  auto implementation = std::make_unique<Implementation>(std::make_shared<WatchCore>(options), store.key_prefix);
  auto& core = implementation->core();
  auto feed = std::make_unique<RedisWatchFeed>(core, store);
  if (auto started = feed->start(); !started) return std::unexpected(std::move(started.error()));
  if (auto started = core.start(std::move(feed)); !started) return std::unexpected(std::move(started.error()));
  return SessionWatch(std::move(implementation));
}

Result<SessionWatch> SessionWatch::over(MemoryStore& store, SessionWatchOptions options) {
  if (auto valid = validate(options); !valid) return std::unexpected(std::move(valid.error()));
  auto implementation = std::make_unique<Implementation>(std::make_shared<WatchCore>(options), std::string());
  auto& core = implementation->core();
  if (auto started = core.start(std::make_unique<MemoryWatchFeed>(core, store)); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return SessionWatch(std::move(implementation));
}

SessionWatch::SessionWatch(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}
SessionWatch::SessionWatch(SessionWatch&&) noexcept = default;
SessionWatch& SessionWatch::operator=(SessionWatch&&) noexcept = default;
SessionWatch::~SessionWatch() = default;

Result<WatchHandle> SessionWatch::watch(const SessionKey& key, SessionWatchHandler handler) {
  if (auto valid = v0::validate(key); !valid) return std::unexpected(std::move(valid.error()));
  if (!handler) return refuse("the handler is empty; pass a function that takes a SessionWatchEvent");
  return implementation_->core().watch(stored_key(implementation_->prefix(), key.user_id, key.type), key.id,
                                       std::move(handler));
}

SessionWatchStatistics SessionWatch::statistics() const { return implementation_->core().statistics(); }

SessionWatchStatisticsSource SessionWatch::statistics_source() const {
  return implementation_->core().statistics_source();
}

Result<void> SessionWatch::replace_credentials(UserCredentials credentials) {
  if (auto valid = validate_replacement(credentials); !valid) return valid;
  return implementation_->core().replace_credentials(std::move(credentials));
}

void SessionWatch::close() { implementation_->core().close(); }

}}  // namespace obol::v0
