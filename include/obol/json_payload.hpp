// Typed payloads as JSON, by nlohmann::json. For hosts that use that library (3.11 or newer): Obol itself does not, and
// obol.hpp does not include this.
#pragma once

#include <algorithm>
#include <cstddef>
#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "obol/error.hpp"
#include "obol/payload.hpp"
#include "obol/session_limits.hpp"

namespace obol::inline v0 {

/// What decode_json accepts. Deeper texts are refused before they are parsed: nlohmann::json copies, compares and
/// prints by recursion.
struct JsonLimits {
  std::size_t max_bytes = default_max_payload_bytes;  ///< Of the text.
  std::size_t max_depth = 32;                         ///< Of arrays and objects within each other.
};

namespace detail {

inline std::unexpected<Error> json_error(std::string reason) {
  return std::unexpected(Error{ErrorCode::protocol, "the payload " + std::move(reason)});
}

/// How deep arrays and objects lie within each other; brackets in strings do not count.
inline std::size_t json_depth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace detail

/// The value as JSON text (RFC 8259). Bytes that are not UTF-8 become U+FFFD, since JSON has no way to say them.
inline std::string encode_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The value of a JSON text, or `too_large` or `protocol`. The message never repeats the text.
inline Result<nlohmann::json> decode_json(std::string_view text, const JsonLimits& limits = {}) {
  if (text.size() > limits.max_bytes) {
    return std::unexpected(Error{ErrorCode::too_large, "the payload's JSON has " + std::to_string(text.size()) +
                                                           " bytes; at most " + std::to_string(limits.max_bytes) +
                                                           " are allowed"});
  }
  if (detail::json_depth(text) > limits.max_depth) {
    return detail::json_error("nests its JSON deeper than " + std::to_string(limits.max_depth));
  }
  auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return detail::json_error("is not JSON");
  return value;
}

/// JSON as it is: `session.set_payload(json)`, `session.payload<nlohmann::json>()`.
template <>
struct PayloadCodec<nlohmann::json> {
  /// As encode_json.
  static std::string encode(const nlohmann::json& value) { return encode_json(value); }
  /// As decode_json, with its usual limits.
  static Result<nlohmann::json> decode(std::string_view bytes) { return decode_json(bytes); }
};

/// A codec for a type that nlohmann::json can convert, to inherit from:
///
///     struct Device {
///       std::string name;
///       int logins = 0;
///     };
///     NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Device, name, logins)
///
///     template <>
///     struct obol::PayloadCodec<Device> : obol::JsonPayloadCodec<Device> {};
///
/// With `_WITH_DEFAULT` members may be added later: in sessions stored before, they have their default. Decoding fails
/// with `too_large` or `protocol`, also where `from_json` throws; `to_json` must not throw.
template <class T>
struct JsonPayloadCodec {
  /// The value as JSON text.
  static std::string encode(const T& value) { return encode_json(nlohmann::json(value)); }

  /// The value that the text says, or why it says none; what `from_json` threw is not repeated.
  static Result<T> decode(std::string_view bytes) {
    auto json = decode_json(bytes);
    if (!json) return std::unexpected(std::move(json.error()));
    try {
      return json->template get<T>();
    } catch (const nlohmann::json::exception& error) {
      return detail::json_error("is JSON of another shape (nlohmann::json error " + std::to_string(error.id) + ")");
    } catch (...) {
      return detail::json_error("is JSON that its type does not accept");
    }
  }
};

}  // namespace obol::inline v0
