// A MemoryStore as those see it who watch its sessions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "obol/memory_store.hpp"

namespace obol { inline namespace v0 {

/// Thread-safe. The store must outlive it.
class WatchedMemory {
 public:
  /// Told under the lock of the store, so it must not call it.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// Sessions of that user and type were stored or removed.
    virtual void on_change(std::string_view user_id, std::string_view type) = 0;
    /// That session is being removed because it has expired.
    virtual void on_expiry(std::string_view user_id, std::string_view type, std::string_view id) = 0;
  };

  explicit WatchedMemory(MemoryStore& store) : store_(*store.implementation_) {}

  /// From now on `listener` is told of every change.
  void tell(Listener& listener);
  /// When it returns, the listener is told nothing any more.
  void forget(Listener& listener);

  /// For each session the milliseconds that it has left; -2: it is not stored.
  std::vector<std::int64_t> lifetimes(std::string_view user_id, std::string_view type,
                                      std::span<const std::string> ids);

  /// As a write does.
  void remove_expired();

 private:
  MemoryStore::Implementation& store_;
};

}}  // namespace obol::v0
