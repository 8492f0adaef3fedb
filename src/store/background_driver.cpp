// A loop of its own: sleep until the store has work, do it, until it is told to stop.
#include "obol/background_driver.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <latch>
#include <system_error>
#include <thread>

#include "base/signals_blocked.hpp"
#include "redis/core/deadline.hpp"
#include "redis/net/open_sockets.hpp"
#include "redis/net/wake_descriptor.hpp"

namespace obol { inline namespace v0 {

/// The thread shares it, since a handler may destroy the driver.
class [[gnu::visibility("hidden")]] BackgroundDriver::Implementation {
 public:
  explicit Implementation(AsyncSessionStore& store) : store_(store) {
    if (!waker_.is_open()) throw std::system_error(errno, std::generic_category(), "no descriptor to stop a thread");
  }
  ~Implementation() = default;
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  static void start(const std::shared_ptr<Implementation>& self) {
    const SignalsBlocked blocked;
    self->thread_ = std::make_unique<std::thread>([self] { self->run(); });
    self->first_round_.wait();
  }

  void stop() {
    if (is_in_child()) {
      // The thread is not here; its handle must be neither joined nor destroyed.
      [[maybe_unused]] const auto* const abandoned = thread_.release();
      return;
    }
    is_stopped_ = true;
    waker_.wake();
    if (thread_->get_id() == std::this_thread::get_id()) return thread_->detach();
    thread_->join();
  }

 private:
  void run() {
    store_.run_ready();
    first_round_.count_down();
    while (!is_stopped_ && !is_in_child()) {
      waker_.wait_with(store_.descriptor(), redis::Deadline::at(redis::Deadline::Time::time_point::max()));
      if (!is_stopped_) store_.run_ready();
    }
  }

  bool is_in_child() const { return generation_ != redis::socket_generation(); }

  AsyncSessionStore& store_;
  const std::uint64_t generation_ = redis::socket_generation();
  const redis::WakeDescriptor waker_{};
  std::atomic<bool> is_stopped_ = false;
  std::latch first_round_{1};
  std::unique_ptr<std::thread> thread_;
};

BackgroundDriver::BackgroundDriver(AsyncSessionStore& store)
    : implementation_(std::make_shared<Implementation>(store)) {
  Implementation::start(implementation_);
}

BackgroundDriver::~BackgroundDriver() { implementation_->stop(); }

}}  // namespace obol::v0
