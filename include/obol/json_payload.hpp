// Typed payloads as JSON, with nlohmann::json. For hosts that use that library (3.11 or newer). Obol itself does not
// use it, and obol.hpp does not include this header.
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

namespace obol { inline namespace v0 {

/// Limits of decode_json. Texts that are nested deeper are refused before they are parsed, since nlohmann::json copies,
/// compares and prints recursively.
struct JsonLimits {
  std::size_t max_bytes = default_max_payload_bytes;  ///< Length of the text.
  std::size_t max_depth = 32;                         ///< Nesting of arrays and objects.
};

namespace detail {

inline std::unexpected<Error> json_error(std::string reason) {
  return std::unexpected(Error{ErrorCode::protocol, "the payload " + std::move(reason)});
}

/// Returns how deep arrays and objects are nested; brackets in strings do not count.
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

/// Returns the value as JSON text (RFC 8259). Bytes that are not UTF-8 become U+FFFD, since JSON cannot represent them.
inline std::string encode_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Parses a JSON text. Fails with `too_large` or `protocol`; the message never repeats the text.
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

/// Uses JSON values directly: `session.set_payload(json)`, `session.payload<nlohmann::json>()`.
template <>
struct PayloadCodec<nlohmann::json> {
  /// Same as encode_json.
  static std::string encode(const nlohmann::json& value) { return encode_json(value); }
  /// Same as decode_json with the default limits.
  static Result<nlohmann::json> decode(std::string_view bytes) { return decode_json(bytes); }
};

/// A codec for types that nlohmann::json can convert. Inherit from it:
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
/// With `_WITH_DEFAULT`, members can be added later; sessions stored before then get their default. Decoding fails with
/// `too_large` or `protocol`, also if `from_json` throws. `to_json` must not throw.
template <class T>
struct JsonPayloadCodec {
  /// Returns the value as JSON text.
  static std::string encode(const T& value) { return encode_json(nlohmann::json(value)); }

  /// Returns the value that the text represents, or an error, which does not repeat what `from_json` threw.
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

}}  // namespace obol::v0
