// Who loads the function library into the server.
#pragma once

namespace obol::inline v0 {

/// Where the function library comes from.
enum class FunctionLoading {
  load_at_connect,  ///< The store loads it at connect, and again where the server has lost it. Needs +function|load.
  require_loaded,   ///< Somebody else loads it (docs/operations.md); connect fails where it is missing.
};

}  // namespace obol::inline v0
