// What a shared libobol exports; everything else in it is hidden. See docs/abi.md.
#pragma once

/// Marks a function or class as part of the library's interface. Empty in a static library, so that a shared library of
/// the host that contains one does not export it again.
#ifdef OBOL_BUILDING_STATIC
#define OBOL_EXPORT
#else
#define OBOL_EXPORT [[gnu::visibility("default")]]
#endif
