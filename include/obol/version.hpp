// The version of Obol. The inline namespace obol::v0 has its major version; docs/abi.md tells what stays compatible.
#pragma once

/// Login sessions in Redis or Valkey. Start at SessionStore, what every store promises; RedisStore and MemoryStore keep
/// it.
namespace obol {}

#define OBOL_VERSION_MAJOR 0         ///< Counts releases that break what compiles.
#define OBOL_VERSION_MINOR 1         ///< Counts releases that add; before 1.0, that may break.
#define OBOL_VERSION_PATCH 0         ///< Counts releases that only mend.
#define OBOL_VERSION_STRING "0.1.0"  ///< All three, with dots.
