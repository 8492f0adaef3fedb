// Which sanitizer the tests are built with. GCC defines macros for it, clang has features.
#pragma once

#if defined(__has_feature)
#define OBOL_HAS_FEATURE(name) __has_feature(name)
#else
#define OBOL_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || OBOL_HAS_FEATURE(address_sanitizer)
#define OBOL_ADDRESS_SANITIZER 1
#else
#define OBOL_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || OBOL_HAS_FEATURE(thread_sanitizer)
#define OBOL_THREAD_SANITIZER 1
#else
#define OBOL_THREAD_SANITIZER 0
#endif

namespace obol::testing {

/// Frames and blocks of memory are larger, and everything takes longer.
constexpr bool is_sanitized = OBOL_ADDRESS_SANITIZER != 0 || OBOL_THREAD_SANITIZER != 0;

}  // namespace obol::testing
