// What a shared libobol shows to those who link it; all else in it is hidden. See docs/abi.md.
#pragma once

/// Marks a function or class as part of the library's interface. Means nothing in a static library, so that a shared
/// library of the host's own that holds one does not show it again.
#ifdef OBOL_BUILDING_STATIC
#define OBOL_EXPORT
#else
#define OBOL_EXPORT [[gnu::visibility("default")]]
#endif
