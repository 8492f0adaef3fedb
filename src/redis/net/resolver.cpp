// Runs getaddrinfo(3) aside and waits for it no longer than the deadline.
#include "redis/net/resolver.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <condition_variable>
#include <cstring>
#include <optional>
#include <utility>

#include "base/background_tasks.hpp"
#include "base/name_lookup.hpp"
#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

Result<std::vector<Address>> look_up(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failure != 0) {
    return std::unexpected(
        Error{ErrorCode::unavailable,
              fmt::format("the name cannot be resolved: {}; check connection.host and this machine's name servers",
                          ::gai_strerror(failure))});
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    auto& address = addresses.emplace_back();
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
  }
  return addresses;
}

}  // namespace

bool Address::is_loopback() const {
  if (storage.ss_family == AF_INET) {
    const auto address = ::ntohl(reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr);
    return address >> 24 == IN_LOOPBACKNET;
  }
  const auto& address = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
  const bool is_mapped_loopback = IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET;
  return IN6_IS_ADDR_LOOPBACK(&address) || is_mapped_loopback;
}

struct Resolver::Lookup {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<std::vector<Address>>> answer;

  void finish(Result<std::vector<Address>> found) {
    const std::scoped_lock lock(mutex);
    answer = std::move(found);
    changed.notify_all();
  }

  bool is_finished() {
    const std::scoped_lock lock(mutex);
    return answer.has_value();
  }
};

Resolver::Resolver(std::string host, std::uint16_t port)
    : host_(std::move(host)),
      port_(fmt::format("{}", port)),
      fork_registration_(mutex_, [this] { running_.reset(); }) {}

Result<std::vector<Address>> Resolver::resolve(Deadline deadline) {
  if (auto literal = look_up(host_, port_, AI_NUMERICHOST | AI_NUMERICSERV)) return literal;
  const auto lookup = join_or_start();
  if (!lookup) {
    return std::unexpected(Error{ErrorCode::unavailable, "no thread could be started to resolve the name"});
  }
  std::unique_lock lock(lookup->mutex);
  if (!lookup->changed.wait_until(lock, deadline.time(), [&] { return lookup->answer.has_value(); })) {
    return std::unexpected(
        Error{ErrorCode::timeout, "the name was not resolved in time; check the machine's name servers"});
  }
  return *lookup->answer;
}

std::shared_ptr<Resolver::Lookup> Resolver::join_or_start() {
  const std::scoped_lock lock(mutex_);
  if (running_ && !running_->is_finished()) return running_;
  auto lookup = std::make_shared<Lookup>();
  const bool is_started = BackgroundTasks::start([lookup, host = host_, port = port_] {
    lookup->finish(within_memory([&] {
      const NameLookup care;
      return look_up(host, port, AI_NUMERICSERV);
    }));
  });
  if (!is_started) return nullptr;
  running_ = lookup;
  return lookup;
}

}}}  // namespace obol::v0::redis
