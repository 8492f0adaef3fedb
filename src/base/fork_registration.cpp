// One pthread_atfork handler for the library, over a list of what lives now.
#include "base/fork_registration.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/background_tasks.hpp"
#include "base/name_lookup.hpp"
#include "base/openssl_use.hpp"
#include "obol/fork_safe_mutex.hpp"

namespace obol { inline namespace v0 {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<std::mutex*> mutexes;
  std::vector<const ForkRegistration*> with_work_in_child;
};

// Never destroyed: a fork may happen while static objects are being destroyed.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

// Never waits for one mutex while it holds others, as std::lock does: threads may hold them in any order.
void lock_all(const std::vector<std::mutex*>& mutexes) {
  std::size_t first = 0;
  while (!mutexes.empty()) {
    mutexes[first]->lock();
    std::size_t at = 0;
    while (at < mutexes.size() && (at == first || mutexes[at]->try_lock())) ++at;
    if (at == mutexes.size()) return;
    for (std::size_t taken = 0; taken < at; ++taken) {
      if (taken != first) mutexes[taken]->unlock();
    }
    mutexes[first]->unlock();
    first = at;
  }
}

void before_fork() {
  registry().mutex.lock();
  lock_all(registry().mutexes);
  OpensslUse::hold_off();
  NameLookup::hold_off();
}

void release_all() {
  for (auto* const mutex : registry().mutexes) mutex->unlock();
  registry().mutex.unlock();
}

void after_fork_in_parent() {
  NameLookup::let_in();
  OpensslUse::let_in();
  release_all();
}

// What belongs to the parent is dropped with OpenSSL's help.
void after_fork_in_child() {
  BackgroundTasks::forget_in_child();
  NameLookup::let_in_in_child();
  OpensslUse::let_in();
  for (const auto* entry : registry().with_work_in_child) entry->run_in_child();
  release_all();
}

// Before the process can fork, and once.
[[gnu::constructor(101)]] void install_handlers() {
  ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void enter(std::mutex& mutex) { registry().mutexes.push_back(&mutex); }
void leave(std::mutex& mutex) { std::erase(registry().mutexes, &mutex); }

}  // namespace

ForkRegistration::ForkRegistration(std::mutex& mutex, std::function<void()> in_child)
    : mutex_(&mutex), in_child_(std::move(in_child)) {
  const std::scoped_lock lock(registry().mutex);
  enter(*mutex_);
  registry().with_work_in_child.push_back(this);
}

ForkRegistration::ForkRegistration(std::function<void()> in_child) : mutex_(nullptr), in_child_(std::move(in_child)) {
  const std::scoped_lock lock(registry().mutex);
  registry().with_work_in_child.push_back(this);
}

ForkRegistration::~ForkRegistration() {
  const std::scoped_lock lock(registry().mutex);
  std::erase(registry().with_work_in_child, this);
  if (mutex_ != nullptr) leave(*mutex_);
}

ForkSafeMutex::ForkSafeMutex() {
  const std::scoped_lock lock(registry().mutex);
  enter(mutex_);
}

ForkSafeMutex::~ForkSafeMutex() {
  const std::scoped_lock lock(registry().mutex);
  leave(mutex_);
}

void ForkSafeMutex::lock() { mutex_.lock(); }
bool ForkSafeMutex::try_lock() { return mutex_.try_lock(); }
void ForkSafeMutex::unlock() { mutex_.unlock(); }

}}  // namespace obol::v0
