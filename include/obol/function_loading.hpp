// Who gives the server Obol's functions, and in which form.
#pragma once

namespace obol { inline namespace v0 {

/// Who loads the functions that the server runs for Obol, and in which form.
enum class FunctionLoading {
  /// The store loads the function library at connect, and again if the server has lost it. Needs +function|load. A
  /// server that does not know FUNCTION or FCALL is given the same functions as scripts.
  load_at_connect,
  require_loaded,  ///< The library is loaded by other means (docs/operations.md); connect fails if it is missing.
  /// The same functions as scripts (EVALSHA), for servers and proxies without FUNCTION. The store loads them at
  /// connect, and again if the server has lost them. Needs +evalsha and +script|load.
  scripts,
};

}}  // namespace obol::v0
