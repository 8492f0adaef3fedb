// What obolctl's exit status says; docs/man/obolctl.1 has the same table.
#pragma once

#include "obol/error.hpp"

namespace obol::ctl {

enum class ExitCode {
  done = 0,
  negative = 1,      ///< Nothing was found, or diagnose found a problem.
  usage = 2,         ///< The call itself is wrong; nothing was done.
  unreachable = 3,   ///< No connection, no TLS, or no answer in time.
  refused = 4,       ///< The server refused the password, or a command to this user.
  not_verified = 5,  ///< A stored session does not verify, or an export is damaged.
  failed = 6,        ///< Anything else the server or this machine could not do.
  interrupted = 130,
};

ExitCode exit_code_of(const Error& error);

}  // namespace obol::ctl
