// What a SessionWatch, its handles and its threads share: the table under a lock, and who is told what.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/fork_registration.hpp"
#include "obol/executor.hpp"
#include "obol/session_watch.hpp"
#include "redis/net/wake_signal.hpp"
#include "watch/watch_table.hpp"

namespace obol { inline namespace v0 {

class WatchCore;

/// Where a WatchCore learns of sessions. What it tells goes to WatchCore::change.
class WatchFeed {
 public:
  WatchFeed() = default;
  WatchFeed(const WatchFeed&) = delete;
  WatchFeed& operator=(const WatchFeed&) = delete;
  virtual ~WatchFeed() = default;

  /// The node of a hash, as far as it is known. Thread-safe; asks nobody.
  virtual WatchTable::NodeId node_of(std::string_view key) = 0;
  /// There may be something to read from the node. Thread-safe.
  virtual void wake(WatchTable::NodeId node) noexcept = 0;
  /// Called by the keeper in each of its rounds; returns when it wants to be called again at the latest.
  virtual std::optional<WatchTable::Time> tend(WatchTable::Time now) = 0;
  /// Tells nothing from then on. May be called more than once, by several threads.
  virtual void stop() = 0;
  /// Adds what it counts.
  virtual void add_to(SessionWatchStatistics& statistics) const = 0;
  virtual Result<void> replace_credentials(UserCredentials credentials) = 0;
};

/// One watch, as its handle and its handler see it. Everything in it is guarded by the lock of the core.
class [[gnu::visibility("hidden")]] WatchHandle::Watch final : public WatchTable::Watched,
                                                               private Completion,
                                                               public std::enable_shared_from_this<Watch> {
 public:
  Watch(std::shared_ptr<WatchCore> core, std::string id, SessionWatchHandler handler);
  ~Watch() override;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// See WatchHandle::end.
  void end() noexcept;

 private:
  friend class WatchCore;

  void complete() override;
  void drop() noexcept override;
  bool has_news() const;
  std::optional<SessionWatchEvent> begin_event(std::shared_ptr<Watch>& self);
  void end_after_exception(std::shared_ptr<Watch>& self) noexcept;
  void end_event() noexcept;

  const std::shared_ptr<WatchCore> core_;
  SessionWatchHandler handler_;
  std::shared_ptr<Watch> queued_{};  ///< Itself, while a Completion of it is on its way.
  WatchTable::Status told_ = WatchTable::Status::live;
  bool is_over_ = false;  ///< The handle has ended it.
  std::thread::id running_in_{};
};

/// Thread-safe. Has a thread, the keeper, which tells the table the time and runs handlers that have no executor.
class WatchCore : public std::enable_shared_from_this<WatchCore> {
 public:
  using Time = WatchTable::Time;

  explicit WatchCore(const SessionWatchOptions& options);
  ~WatchCore();
  WatchCore(const WatchCore&) = delete;
  WatchCore& operator=(const WatchCore&) = delete;

  /// Takes the feed and starts the keeper. `unavailable` if there is no thread.
  Result<void> start(std::unique_ptr<WatchFeed> feed);

  Result<WatchHandle> watch(const std::string& key, std::string id, SessionWatchHandler handler);
  SessionWatchStatistics statistics();
  /// For whoever may outlive the SessionWatch: nothing once it is closed.
  SessionWatchStatisticsSource statistics_source();
  Result<void> replace_credentials(UserCredentials credentials) {
    return feed_->replace_credentials(std::move(credentials));
  }

  /// See SessionWatch::close. Waits for the keeper until the time given.
  void close(Time give_up = Time::max());

  std::chrono::milliseconds max_staleness() const { return max_staleness_; }

  /// Calls `work` with the table, and then tells the handlers what has changed.
  template <class Work>
  auto change(const Work& work) {
    const News news(*this);
    return work(table_);
  }

  /// The keeper looks after the feed and the time.
  void wake_keeper() noexcept;

 private:
  friend class WatchHandle::Watch;

  /// Holds the lock while it lives; its end gives the lock up and tells the news.
  class News {
   public:
    explicit News(WatchCore& core) : core_(core), lock_(core.mutex_) {}
    ~News();
    News(const News&) = delete;
    News& operator=(const News&) = delete;

   private:
    WatchCore& core_;
    std::unique_lock<std::mutex> lock_;
  };

  bool is_over();

  enum Group : unsigned { keeper_group, waiting_group };

  void keep();
  bool keep_once();
  Completions take_news();
  void await_end_of_keeper(Time give_up);
  void await_handler(const WatchHandle::Watch& watch, std::unique_lock<std::mutex>& lock);
  void forget_parent();

  const std::chrono::milliseconds max_staleness_;
  Executor* const executor_;
  std::mutex mutex_;
  WatchTable table_;
  Completions inline_;  ///< For the keeper.
  bool is_closed_ = false;
  bool is_in_child_ = false;
  bool has_keeper_ended_ = false;
  unsigned waiting_ = 0;  ///< Threads that wait for a handler or the keeper.
  Time wakes_at_{};       ///< When the keeper looks next.
  std::unique_ptr<std::thread> keeper_;
  std::thread::id keeper_id_{};
  redis::WakeSignal signal_{};
  redis::ParkingLot parking_lot_;
  std::unique_ptr<WatchFeed> feed_;
  ForkRegistration fork_registration_;
};

}}  // namespace obol::v0
