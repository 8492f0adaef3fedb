// A TCP port of this machine that no other fixture takes while this one lives, even between a server's stop and start.
#pragma once

#include <cstdint>

#include "support/descriptor.hpp"

namespace obol::testing {

/// Lies below the ports that the system gives to connections, so that none of those takes it in between either.
class ReservedPort {
 public:
  ReservedPort();

  std::uint16_t number() const { return number_; }

 private:
  std::uint16_t number_ = 0;
  Descriptor name_;  ///< A unix socket named after the port: who holds it holds the port.
};

}  // namespace obol::testing
