// The server's own data in each session: a struct that is stored as JSON.
#pragma once

#include <string>

#include "obol/json_payload.hpp"

namespace example::auth_server {

/// The device of a login, shown on "Your devices". Made from headers of a stranger; escape it.
struct Device {
  std::string name{};   ///< Such as "Firefox on Windows".
  std::string kind{};   ///< "phone", "tablet" or "computer".
  std::string place{};  ///< Part of the address, such as "192.0.2.x".
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Device, name, kind, place)

struct Payload {
  Device device{};
  std::string csrf_secret{};  ///< The forms of this session must prove to know it.
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Payload, device, csrf_secret)

}  // namespace example::auth_server

template <>
struct obol::PayloadCodec<example::auth_server::Payload> : obol::JsonPayloadCodec<example::auth_server::Payload> {};
