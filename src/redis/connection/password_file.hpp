// Reads a password out of a file.
#pragma once

#include <string>

#include "obol/error.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// The whole content, less one line end behind it. `auth` if the file cannot be read, is no regular file, is empty, has
/// more than one line, or is larger than any password is; the message names the file and never shows its content.
Result<std::string> read_password_file(const std::string& path);

}}}  // namespace obol::v0::redis
