// The connections that this process holds.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "obol/connection_options.hpp"

namespace obol::testing {

/// How many sockets of this process lead to that address, a unix socket or a port on loopback.
inline std::size_t connections_to(const ConnectionOptions& address) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int descriptor = std::stoi(entry.path().filename());
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    const bool is_same = peer.ss_family == AF_UNIX
                             ? address.unix_socket == reinterpret_cast<const sockaddr_un*>(&peer)->sun_path
                             : peer.ss_family == AF_INET &&
                                   ntohs(reinterpret_cast<const sockaddr_in*>(&peer)->sin_port) == address.port &&
                                   address.unix_socket.empty();
    if (is_same) ++count;
  }
  return count;
}

}  // namespace obol::testing
