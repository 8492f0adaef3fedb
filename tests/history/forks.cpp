// What a child does, and what must be true of it under any fault of the network.
#include "history/forks.hpp"

#include <fmt/format.h>

#include <chrono>

#include "obol/session_id.hpp"
#include "support/child.hpp"
#include "support/sessions.hpp"

namespace obol::testing::history {
namespace {

constexpr std::chrono::milliseconds pause_between_forks{10};

/// True unless a call gave what cannot be: the session is this child's alone.
bool live_a_life(RedisStore& store) {
  auto session = new_session("forked", generate_session_id().value());
  const bool is_stored = store.upsert(session).has_value();
  const auto found = store.get(session.key());
  if (is_stored && found && *found != session) return false;
  const bool is_deleted = store.delete_one(session.key()).has_value();
  const auto found_later = store.get(session.key());
  return !is_stored || !is_deleted || !found_later || !*found_later;
}

bool is_closed(RedisStore& store) {
  const auto refused = store.get(new_session().key());
  return !refused && refused.error().code == ErrorCode::closed;
}

}  // namespace

Forks::Forks(std::unique_ptr<RedisStore>& store)
    : store_(store), thread_([this](const std::stop_token& stop) { fork_on_and_on(stop); }) {}

std::vector<std::string> Forks::end() {
  thread_.request_stop();
  thread_.join();
  return broken_;
}

void Forks::fork_on_and_on(const std::stop_token& stop) {
  for (; !stop.stop_requested(); ++count_) {
    const auto trouble = run_in_child([this] {
      if (!live_a_life(*store_) || !live_a_life(*store_)) return false;
      store_->close();
      const bool is_well = is_closed(*store_);
      store_.reset();
      return is_well;
    });
    if (!trouble.empty()) broken_.push_back(fmt::format("child {}: {}", count_, trouble));
    std::this_thread::sleep_for(pause_between_forks);
  }
}

}  // namespace obol::testing::history
