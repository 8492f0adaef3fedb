// Base64url without padding (RFC 4648, section 5): the alphabet that needs no escaping in cookies and addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace obol { inline namespace v0 {

std::string base64url_encode(std::string_view bytes);

/// The bytes, or nothing for padding, foreign characters, an impossible length or stray trailing bits: so each byte
/// string has exactly one accepted text.
std::optional<std::string> base64url_decode(std::string_view text);

}}  // namespace obol::v0
