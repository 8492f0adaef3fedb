#include "store/async_store_core.hpp"

#include <utility>

#include "values/last_handlers.hpp"

namespace obol { inline namespace v0 {

AsyncStoreCore::AsyncStoreCore(std::shared_ptr<RedisStoreParts> parts, std::unique_ptr<redis::Engine> engine)
    : parts_(std::move(parts)),
      engine_(std::move(engine)),
      fork_registration_([this] {
        engine_use_.forget_callers();
        is_closed_ = true;
        is_in_child_ = true;
      }),
      process_end_registration_([this] { close_at_end(); }) {}

// Does nothing once the process ends: a driver of its own may still be at it.
void AsyncStoreCore::run_ready() {
  with_engine([](redis::Engine& engine) { engine.run_ready(); });
}

void AsyncStoreCore::close() {
  is_closed_ = true;
  engine_->close();
}

bool AsyncStoreCore::deliver(Completion& ended, Executor* executor) noexcept {
  if (with_engine([&](redis::Engine& engine) { engine.deliver(ended, executor); })) return true;
  if (executor != nullptr) {
    executor->post(Completions(ended));
    return true;
  }
  if (shut_down_by_ != std::this_thread::get_id()) return false;
  begun_too_late_.push_back(ended);
  return true;
}

void AsyncStoreCore::shut_down() {
  is_closed_ = true;
  aside_.end_all();
  engine_use_.close();
  engine_use_.await_idle();
  shut_down_by_ = std::this_thread::get_id();
  engine_.reset();
  run_last_handlers([this] { return std::move(begun_too_late_); });
  shut_down_by_ = std::thread::id{};
  const Completions dropped = std::move(begun_too_late_);
}

// A handler that ends the process is inside run_ready(), and is not waited for.
void AsyncStoreCore::close_at_end() {
  is_closed_ = true;
  bool is_within_handler = false;
  with_engine([&](redis::Engine& engine) {
    engine.close();
    is_within_handler = engine.is_driven_by_this_thread();
  });
  engine_use_.close();
  if (!is_within_handler) engine_use_.await_idle(Admission::Time::now() + parts_->options().timeouts.total);
  parts_->close();
}

}}  // namespace obol::v0
