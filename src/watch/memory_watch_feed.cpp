// Reads a MemoryStore as a server would be read.
#include "watch/memory_watch_feed.hpp"

#include <new>
#include <string>
#include <vector>

#include "store/session_commands.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 {

MemoryWatchFeed::MemoryWatchFeed(WatchCore& core, MemoryStore& store) : core_(core), store_(store) {
  core_.change([](WatchTable& table) { table.on_listening(only_node, WatchTable::Steady::now()); });
  store_.tell(*this);
}

MemoryWatchFeed::~MemoryWatchFeed() { stop(); }

void MemoryWatchFeed::stop() { store_.forget(*this); }

// Called under the lock of the store.
void MemoryWatchFeed::on_change(std::string_view user_id, std::string_view type) {
  try {
    const auto key = stored_key({}, user_id, type);
    core_.change([&](WatchTable& table) { table.on_change(only_node, key); });
  } catch (const std::bad_alloc&) {
    core_.change([](WatchTable& table) { table.on_flush(only_node); });
  }
  core_.wake_keeper();
}

void MemoryWatchFeed::on_expiry(std::string_view user_id, std::string_view type, std::string_view id) {
  // Without memory it is told as removed.
  static_cast<void>(within_memory([&]() -> Result<void> {
    const auto key = stored_key({}, user_id, type);
    core_.change([&](WatchTable& table) { table.note_expiry(key, id, WatchTable::Steady::now()); });
    return {};
  }));
}

std::optional<WatchTable::Time> MemoryWatchFeed::tend(WatchTable::Time now) {
  store_.remove_expired();
  core_.change([&](WatchTable& table) { table.on_alive(only_node, now, WatchTable::Steady::now()); });
  try {
    while (read_next()) continue;
  } catch (const std::bad_alloc&) {
    core_.change([](WatchTable& table) { table.on_listening(only_node, WatchTable::Steady::now()); });
    throw;
  }
  return now + core_.max_staleness() / 3;
}

bool MemoryWatchFeed::read_next() {
  std::string key;
  std::vector<std::string> ids;
  core_.change([&](WatchTable& table) {
    const auto read = table.next_read(only_node, WatchTable::Steady::now());
    if (!read) return;
    key = read->key;
    ids.assign(read->ids.begin(), read->ids.end());
  });
  if (ids.empty()) return false;
  // A type holds neither ':' nor a brace.
  const auto end_of_user = key.rfind("}:");
  const auto lifetimes = store_.lifetimes(key.substr(1, end_of_user - 1), key.substr(end_of_user + 2), ids);
  core_.change([&](WatchTable& table) { table.on_answer(only_node, lifetimes, WatchTable::Steady::now()); });
  return true;
}

}}  // namespace obol::v0
