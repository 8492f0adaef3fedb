// Random bytes for ids and nonces, from the kernel.
#pragma once

#include <cstddef>

namespace obol { inline namespace v0 {

/// Fills `out`. Nothing is kept for later and no lock is taken, so a forked child neither repeats its parent's bytes
/// nor hangs, however it was forked. False if the kernel gives none. Thread-safe. Source:
/// https://man7.org/linux/man-pages/man2/getrandom.2.html
bool random_bytes(unsigned char* out, std::size_t size);

}}  // namespace obol::v0
