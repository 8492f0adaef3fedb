// The address of a server as text.
#pragma once

#include <fmt/format.h>

#include <string>

#include "obol/server_address.hpp"

namespace obol { inline namespace v0 {

/// "host:port", with an IPv6 address in brackets.
inline std::string name_of(const ServerAddress& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", address.host, is_ipv6 ? "]" : "", address.port);
}

}}  // namespace obol::v0
