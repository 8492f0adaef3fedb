// A promise that is checked for every input: where it is broken the process aborts, and the fuzzer keeps the input.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace obol::fuzz {

inline void require(bool kept, const char* promise) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace obol::fuzz
