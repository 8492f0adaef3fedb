// Typed payloads: converts a type of the host to Session::extra_payload and back.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "obol/error.hpp"

namespace obol { inline namespace v0 {

/// Customisation point. Specialise it for your own type with the two functions that PayloadType requires.
///
///     template <> struct obol::PayloadCodec<Device> {
///       static std::string encode(const Device& device);
///       static obol::Result<Device> decode(std::string_view bytes);
///     };
///
/// examples/quickstart.cpp has a hand-written one; obol/json_payload.hpp makes one from nlohmann::json's macro.
template <class T>
struct PayloadCodec;

/// A type with a PayloadCodec.
template <class T>
concept PayloadType = requires(const T& value, std::string_view bytes) {
  { PayloadCodec<T>::encode(value) } -> std::convertible_to<std::string>;
  { PayloadCodec<T>::decode(bytes) } -> std::convertible_to<Result<T>>;
};

}}  // namespace obol::v0
