// One pthread_atfork handler for the library, over a list of what lives now.
#include "fork_registration.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

namespace obol::inline v0 {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const ForkRegistration*> entries;
};

// Never destroyed: a fork may happen while static objects are being torn down.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

void before_fork() {
  registry().mutex.lock();
  for (const auto* entry : registry().entries) entry->mutex().lock();
}

void release() {
  for (const auto* entry : registry().entries) entry->mutex().unlock();
  registry().mutex.unlock();
}

std::atomic<std::uint64_t> generation{0};

void after_fork_in_child() {
  ++generation;
  for (const auto* entry : registry().entries) entry->run_in_child();
  release();
}

void install_handlers() {
  static const int installed = ::pthread_atfork(before_fork, release, after_fork_in_child);
  static_cast<void>(installed);
}

}  // namespace

ForkRegistration::ForkRegistration(std::mutex& mutex, std::function<void()> in_child)
    : mutex_(mutex), in_child_(std::move(in_child)) {
  install_handlers();
  const std::scoped_lock lock(registry().mutex);
  registry().entries.push_back(this);
}

std::uint64_t fork_generation() {
  install_handlers();
  return generation.load(std::memory_order_relaxed);
}

ForkRegistration::~ForkRegistration() {
  const std::scoped_lock lock(registry().mutex);
  std::erase(registry().entries, this);
}

}  // namespace obol::inline v0
