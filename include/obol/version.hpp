// The version of Obol. The inline namespace obol::v0 carries the major version; docs/abi.md says what stays compatible.
#pragma once

/// Login sessions in Redis or Valkey. Start at SessionStore, which defines the guarantees of every store. RedisStore
/// and MemoryStore implement it.
namespace obol {
}

#define OBOL_VERSION_MAJOR 0         ///< Increases with releases that break existing code.
#define OBOL_VERSION_MINOR 2         ///< Increases with releases that add features; before 1.0 these may break code.
#define OBOL_VERSION_PATCH 0         ///< Increases with releases that only fix faults.
#define OBOL_VERSION_STRING "0.2.0"  ///< All three, separated by dots.
