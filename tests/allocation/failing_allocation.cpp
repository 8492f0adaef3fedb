// Replaces operator new for the whole program, and hiredis' allocators.
#include "failing_allocation.hpp"

#include <gtest/gtest.h>
#include <hiredis/alloc.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace obol::testing {
namespace {

struct State {
  bool is_armed = false;
  bool has_failed = false;
  Failing failing = Failing::once;
  std::size_t passed = 0;
  std::size_t count = 0;
};

constinit thread_local State state;

bool is_to_fail() {
  ++state.count;
  if (!state.is_armed || (state.has_failed && state.failing == Failing::once)) return false;
  if (!state.has_failed && state.passed-- > 0) return false;
  state.has_failed = true;
  return true;
}

std::atomic<std::size_t> allocated{0};

void* counted(void* memory) {
  allocated += ::malloc_usable_size(memory);
  return memory;
}

void* allocate(std::size_t size) { return is_to_fail() ? nullptr : counted(std::malloc(size)); }

void release(void* memory) {
  allocated -= ::malloc_usable_size(memory);
  std::free(memory);
}

void* reallocate(void* old, std::size_t size) {
  if (is_to_fail()) return nullptr;
  const auto before = ::malloc_usable_size(old);
  void* const memory = std::realloc(old, size);
  if (memory == nullptr) return nullptr;
  allocated -= before;
  return counted(memory);
}

[[maybe_unused]] const auto hiredis_allocators = [] {
  hiredisAllocFuncs functions{
      .mallocFn = allocate,
      .callocFn = [](std::size_t count,
                     std::size_t size) { return is_to_fail() ? nullptr : counted(std::calloc(count, size)); },
      .reallocFn = reallocate,
      .strdupFn = hiredisAllocFns.strdupFn,
      .freeFn = release};
  return hiredisSetAllocators(&functions);
}();

}  // namespace

FailingAllocation::FailingAllocation(std::size_t passed, Failing failing) {
  state = {.is_armed = true, .has_failed = false, .failing = failing, .passed = passed, .count = 0};
}
FailingAllocation::~FailingAllocation() { state.is_armed = false; }
bool FailingAllocation::has_failed() const { return state.has_failed; }
std::size_t FailingAllocation::count() const { return state.count; }

void fail_each(Failing failing, const std::function<void()>& prepare, const std::function<void()>& call,
               const std::function<void(bool came_back)>& check) {
  for (std::size_t passed = 0;; ++passed) {
    SCOPED_TRACE(passed);
    ASSERT_LT(passed, most_allocations);
    prepare();
    bool came_back = false;
    bool has_failed = false;
    {
      const FailingAllocation allocation(passed, failing);
      try {
        call();
        came_back = true;
      } catch (const std::bad_alloc&) {
        came_back = false;
      }
      has_failed = allocation.has_failed();
    }
    check(came_back);
    if (!has_failed) {
      ASSERT_TRUE(came_back);
      return;
    }
    if (::testing::Test::HasFailure()) return;
  }
}

std::size_t allocated_bytes() { return allocated; }

}  // namespace obol::testing

void* operator new(std::size_t size) {
  if (void* const memory = obol::testing::allocate(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { obol::testing::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { obol::testing::release(memory); }
