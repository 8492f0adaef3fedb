// getrandom(2): OpenSSL's generators take locks that another thread may hold at a fork, and keep states that a copied
// process shares.
#include "base/randomness.hpp"

#include <sys/random.h>

#include <cerrno>

namespace obol { inline namespace v0 {

bool random_bytes(unsigned char* out, std::size_t size) {
  while (size > 0) {
    const auto got = ::getrandom(out, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}}  // namespace obol::v0
