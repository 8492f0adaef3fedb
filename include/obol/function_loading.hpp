// Who loads the function library into the server.
#pragma once

namespace obol { inline namespace v0 {

/// Who loads the function library.
enum class FunctionLoading {
  load_at_connect,  ///< The store loads it at connect, and again if the server has lost it. Needs +function|load.
  require_loaded,   ///< It is loaded by other means (docs/operations.md); connect fails if it is missing.
};

}}  // namespace obol::v0
