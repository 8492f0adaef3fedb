// Messages to the operator, on standard error.
#pragma once

#include <string>
#include <string_view>

namespace example {

/// Keeps printable ASCII, writes a backslash as \\ and every other byte as \xHH. So no request and no server can start
/// a new line or control a terminal.
std::string printable(std::string_view text);

/// Writes the text as one printable line.
void log_line(std::string_view text);

}  // namespace example
