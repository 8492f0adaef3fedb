// The version of Obol. The inline namespace obol::v0 versions its ABI: binaries of two ABI versions never mix silently.
#pragma once

#define OBOL_VERSION_MAJOR 0
#define OBOL_VERSION_MINOR 1
#define OBOL_VERSION_PATCH 0
#define OBOL_VERSION_STRING "0.1.0"
