// What this server keeps in each session besides Obol's own fields: a struct of its own, stored as JSON.
#pragma once

#include <string>

#include "obol/json_payload.hpp"

namespace auth_server {

/// Where somebody logged in: shown to them on "Your devices". Made from what a stranger sent; escape it.
struct Device {
  std::string name{};   ///< Such as "Firefox on Windows".
  std::string kind{};   ///< "phone", "tablet" or "computer".
  std::string place{};  ///< Part of the address, such as "192.0.2.x".
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Device, name, kind, place)

struct Payload {
  Device device{};
  std::string csrf_secret{};                ///< What the forms of this session prove to know.
  std::string previous_refresh_token_id{};  ///< What the last rotation replaced; empty before the first.
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Payload, device, csrf_secret, previous_refresh_token_id)

}  // namespace auth_server

template <>
struct obol::PayloadCodec<auth_server::Payload> : obol::JsonPayloadCodec<auth_server::Payload> {};
