// Error codes to exit statuses.
#include "obolctl/exit_code.hpp"

namespace obol::ctl {

ExitCode exit_code_of(const Error& error) {
  if (error.code == std::errc::interrupted) return ExitCode::interrupted;
  if (error.code.category() != error_category()) return ExitCode::failed;
  switch (static_cast<ErrorCode>(error.code.value())) {
    case ErrorCode::invalid_argument:
      return ExitCode::usage;
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
    case ErrorCode::pool_timeout:
    case ErrorCode::tls:
      return ExitCode::unreachable;
    case ErrorCode::auth:
    case ErrorCode::permission:
      return ExitCode::refused;
    default:
      return ExitCode::failed;
  }
}

}  // namespace obol::ctl
