// Tries ports at random until one is nobody's.
#include "support/reserved_port.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <random>
#include <stdexcept>
#include <utility>

namespace obol::testing {
namespace {

constexpr std::uint16_t first_port = 10'000;
constexpr std::uint16_t last_port = 32'000;

/// A name without a file, which goes with its process. Not open where another has it.
Descriptor take_name(std::uint16_t port) {
  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto name = fmt::format("obol-test-port-{}", port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const bool taken = ::bind(descriptor.number(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  return taken ? std::move(descriptor) : Descriptor();
}

bool is_unused(std::uint16_t port) {
  const Descriptor descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(descriptor.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  return ::bind(descriptor.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

ReservedPort::ReservedPort() {
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<unsigned> any(first_port, last_port);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    number_ = static_cast<std::uint16_t>(any(random));
    name_ = take_name(number_);
    if (name_.is_open() && is_unused(number_)) return;
  }
  throw std::runtime_error("no free port");
}

}  // namespace obol::testing
