// Random bytes for ids and nonces, drawn from OpenSSL's generator in larger pieces.
#pragma once

#include <cstddef>

namespace obol::inline v0 {

/// Fills `out` from this thread's store of random bytes, each of which is handed out once and overwritten; a forked
/// child draws its own. False where OpenSSL yields none. Thread-safe.
bool random_bytes(unsigned char* out, std::size_t size);

}  // namespace obol::inline v0
