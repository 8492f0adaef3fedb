// OpenSSL contexts that are kept and used again, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <memory>

namespace obol { inline namespace v0 { namespace sealing {

/// A few contexts with a key set. Thread-safe, and usable in a forked child.
template <class Context, void (*free)(Context*)>
class ContextSlots {
 public:
  struct Free {
    void operator()(Context* context) const noexcept { free(context); }
  };
  using Owned = std::unique_ptr<Context, Free>;

  ContextSlots() = default;
  ContextSlots(const ContextSlots&) = delete;
  ContextSlots& operator=(const ContextSlots&) = delete;
  ~ContextSlots() {
    for (auto& slot : slots_) free(slot.load());
  }

  /// One that was put back, or null.
  Owned take() {
    for (auto& slot : slots_) {
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      if (Owned kept{slot.exchange(nullptr, std::memory_order_acquire)}) return kept;
    }
    return nullptr;
  }

  /// Frees it where all slots are full.
  void put_back(Owned context) {
    for (auto& slot : slots_) {
      Context* empty = nullptr;
      if (slot.load(std::memory_order_relaxed) != nullptr) continue;
      if (!slot.compare_exchange_strong(empty, context.get(), std::memory_order_release, std::memory_order_relaxed))
        continue;
      context.release();  // NOLINT(bugprone-unused-return-value): the slot owns it now
      return;
    }
  }

 private:
  std::array<std::atomic<Context*>, 8> slots_{};
};

}}}  // namespace obol::v0::sealing
