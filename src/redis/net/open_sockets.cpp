// The list of open sockets, which a fork sees whole.
#include "redis/net/open_sockets.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "base/fork_registration.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<int> descriptors;
  std::atomic<std::uint64_t> generation{0};
  ForkRegistration fork_registration{mutex, [this] { forget_parent(); }};

  void forget_parent() {
    ++generation;
    for (const int descriptor : descriptors) ::close(descriptor);
    descriptors.clear();
  }
};

// Never destroyed: sockets may be closed while static objects are being torn down.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

// Before anything that owns a socket registers for forks: in a child the sockets go first.
[[gnu::constructor(102)]] void make_registry() { registry(); }

// A fork between opening and listing, or between unlisting and closing, would leave a copy in the child or close a
// number that is already another's.
template <class Open>
int open_and_list(Open open) {
  auto& descriptors = registry().descriptors;
  const std::scoped_lock lock(registry().mutex);
  // First, since this may fail.
  if (descriptors.size() == descriptors.capacity()) descriptors.reserve(2 * descriptors.size() + 16);
  const int descriptor = open();
  if (descriptor >= 0) descriptors.push_back(descriptor);
  return descriptor;
}

}  // namespace

int open_socket(int family) {
  return open_and_list([family] { return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
}

int list_descriptor(int (*open)()) { return open_and_list(open); }

std::uint64_t socket_generation() { return registry().generation.load(std::memory_order_relaxed); }

void close_socket(int descriptor, std::uint64_t generation) {
  // Before the lock, which whatever runs in a child as it begins would find taken.
  if (generation != socket_generation()) return;
  const std::scoped_lock lock(registry().mutex);
  std::erase(registry().descriptors, descriptor);
  ::close(descriptor);
}

}}}  // namespace obol::v0::redis
