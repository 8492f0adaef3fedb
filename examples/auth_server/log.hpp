// What the operator is told, on standard error.
#pragma once

#include <string>
#include <string_view>

namespace auth_server {

/// Printable ASCII as it is, a backslash as \\, every other byte as \xHH, so that no request and no server can begin a
/// line of its own or steer a terminal.
std::string printable(std::string_view text);

/// Writes the text as one line, made printable.
void log_line(std::string_view text);

}  // namespace auth_server
