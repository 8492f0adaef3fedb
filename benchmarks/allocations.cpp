// Counts what operator new is asked for.
#include <atomic>
#include <cstdlib>
#include <new>

#include "load.hpp"

namespace {
std::atomic<std::uint64_t> count{0};
}

void* operator new(std::size_t size) {
  // Without a locked instruction, which would count for a tenth of a call; exact where one thread allocates at a time.
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace obol::benchmark {
std::uint64_t allocations() { return count; }
}  // namespace obol::benchmark
