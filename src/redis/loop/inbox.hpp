// What other threads hand to the thread that drives an engine.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/fork_registration.hpp"
#include "base/intrusive_queue.hpp"
#include "obol/executor.hpp"
#include "redis/loop/engine_call.hpp"
#include "redis/loop/errand.hpp"
#include "redis/loop/poller.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// Thread-safe. Wakes the driver once for all that is put in until it looks.
class Inbox {
 public:
  struct Content {
    IntrusiveQueue<EngineCall> begun{};
    std::vector<EngineCall*> cancelled{};
    IntrusiveQueue<Errand> done{};
    Completions ended{};  ///< To be completed in the thread that drives.
    bool is_closed = false;
  };

  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() {
    while (Errand* const errand = content_.done.pop_front()) const std::unique_ptr<Errand> dropped(errand);
  }

  explicit Inbox(std::shared_ptr<Poller> poller) : poller_(std::move(poller)), fork_registration_(mutex_) {}

  /// `put` changes the content and returns true if the driver must look.
  template <class Put>
  void put(Put put) {
    bool must_wake = false;
    {
      const std::scoped_lock lock(mutex_);
      if (!put(content_)) return;
      has_news_ = true;
      must_wake = !std::exchange(will_look_, true);
    }
    if (must_wake) poller_->wake();
  }

  /// The driver looks from now on until rest().
  void attend() {
    const std::scoped_lock lock(mutex_);
    will_look_ = true;
  }

  /// All that is there.
  Content take() {
    const std::scoped_lock lock(mutex_);
    has_news_ = false;
    return {.begun = std::move(content_.begun),
            .cancelled = std::exchange(content_.cancelled, {}),
            .done = std::move(content_.done),
            .ended = std::move(content_.ended),
            .is_closed = content_.is_closed};
  }

  /// The driver stops looking. Wakes itself if something has come; otherwise runs `then` before anything can come.
  template <class Then>
  void rest(Then then) {
    {
      const std::scoped_lock lock(mutex_);
      will_look_ = has_news_;
      if (!will_look_) return then();
    }
    poller_->wake();
  }

 private:
  const std::shared_ptr<Poller> poller_;
  std::mutex mutex_;
  Content content_;
  bool has_news_ = false;
  bool will_look_ = false;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
