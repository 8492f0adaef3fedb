// What a child does, and what must be true of it under any fault of the network.
#include "history/forks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "obol/async_redis_store.hpp"
#include "obol/session_id.hpp"
#include "support/blocking_facade.hpp"
#include "support/child.hpp"
#include "support/sessions.hpp"

namespace obol::testing::history {
namespace {

constexpr std::chrono::milliseconds pause_between_forks{10};

/// True unless a call gave what cannot be: the session is this child's alone.
bool live_a_life(SessionStore& store) {
  auto session = new_session("forked", generate_session_id().value());
  const bool is_stored = store.upsert(session).has_value();
  const auto found = store.get(session.key());
  if (is_stored && found && *found != session) return false;
  const bool is_deleted = store.delete_one(session.key()).has_value();
  const auto found_later = store.get(session.key());
  return !is_stored || !is_deleted || !found_later || !*found_later;
}

bool live_two_lives(SessionStore& store) {
  const bool is_well = live_a_life(store);
  return live_a_life(store) && is_well;
}

using Found = Result<std::optional<Session>>;

bool is_refusal(const Found& found) { return !found && found.error().code == ErrorCode::closed; }

bool use_and_destroy(std::unique_ptr<RedisStore>& store) {
  if (!live_two_lives(*store)) return false;
  store->close();
  const bool is_well = is_refusal(store->get(new_session().key()));
  store.reset();
  return is_well;
}

/// Whatever its driver, which is not here, was at.
bool is_refused_and_destroys(AsyncRedisStore& store) {
  int told = 0;
  const auto tell = [&told](const Found& found) { told += is_refusal(found) ? 1 : 0; };
  bool is_well = is_refusal(store.get(new_session().key()).wait());
  store.get(new_session().key()).start(tell);
  store.run_ready();
  is_well = is_well && told == 1;
  store.get(new_session().key()).start(tell);
  {
    const auto destroyed = std::move(store);
    is_well = is_well && !destroyed.another();
  }
  return is_well && told == 2;
}

/// A fault may keep it from connecting.
bool live_with_a_store_of_its_own(const RedisStoreOptions& options) {
  auto connected = AsyncRedisStore::connect(options);
  if (!connected) return true;
  BlockingFacade<DrivenInBackground> store(std::make_unique<AsyncRedisStore>(std::move(*connected)));
  return live_two_lives(store);
}

}  // namespace

Forks::Forks(Stores& stores, RedisStoreOptions options)
    : stores_(stores),
      options_(std::move(options)),
      thread_([this](const std::stop_token& stop) { fork_on_and_on(stop); }) {}

std::vector<std::string> Forks::end() {
  thread_.request_stop();
  thread_.join();
  return broken_;
}

void Forks::fork_on_and_on(const std::stop_token& stop) {
  for (; !stop.stop_requested(); ++count_) {
    const auto trouble = run_in_child([this] { return is_well_in_child(); });
    if (!trouble.empty()) broken_.push_back(fmt::format("child {}: {}", count_, trouble));
    std::this_thread::sleep_for(pause_between_forks);
  }
}

bool Forks::is_well_in_child() {
  if (stores_.blocking() && !use_and_destroy(stores_.blocking())) return false;
  const auto async = stores_.async();
  const auto is_well = [](AsyncRedisStore* store) { return is_refused_and_destroys(*store); };
  return std::ranges::all_of(async, is_well) && (async.empty() || live_with_a_store_of_its_own(options_));
}

}  // namespace obol::testing::history
