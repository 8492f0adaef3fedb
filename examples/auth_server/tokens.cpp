// Packs a session id and an addition into the id of an Obol session token, "session id.addition", and unpacks them.
#include "tokens.hpp"

#include <charconv>
#include <cstdint>
#include <expected>
#include <utility>

#include "obol/session_token.hpp"

namespace auth_server {
namespace {

obol::Result<std::string> pack(const obol::SessionKey& session, std::string type, const std::string& addition,
                               const obol::Keyring& keyring) {
  return obol::issue_token({.user_id = session.user_id, .type = std::move(type), .id = session.id + "." + addition},
                           keyring);
}

struct Unpacked {
  obol::SessionKey session;
  std::string addition;
};

std::unexpected<obol::Error> no_token() {
  return std::unexpected(obol::Error{obol::ErrorCode::invalid_token, "a token of another kind"});
}

obol::Result<Unpacked> unpack(std::string_view text, std::string_view type, const obol::Keyring& keyring) {
  auto key = obol::open_token(text, keyring);
  if (!key) return std::unexpected(std::move(key.error()));
  const auto dot = key->id.rfind('.');
  if (key->type != type || dot == std::string::npos) return no_token();
  return Unpacked{.session = {.user_id = key->user_id, .type = std::string(session_type), .id = key->id.substr(0, dot)},
                  .addition = key->id.substr(dot + 1)};
}

}  // namespace

obol::Result<std::string> issue(const AccessToken& token, const obol::Keyring& keyring) {
  return pack(token.session, "access", std::to_string(token.expires_at.time_since_epoch().count()), keyring);
}

obol::Result<std::string> issue(const RefreshToken& token, const obol::Keyring& keyring) {
  return pack(token.session, "refresh", token.id, keyring);
}

obol::Result<AccessToken> open_access_token(std::string_view text, const obol::Keyring& keyring) {
  auto unpacked = unpack(text, "access", keyring);
  if (!unpacked) return std::unexpected(std::move(unpacked.error()));
  const auto& digits = unpacked->addition;
  std::int64_t seconds = 0;
  const auto* end = digits.data() + digits.size();
  if (const auto read = std::from_chars(digits.data(), end, seconds); read.ec != std::errc{} || read.ptr != end) {
    return no_token();
  }
  return AccessToken{.session = std::move(unpacked->session),
                     .expires_at = std::chrono::sys_seconds(std::chrono::seconds(seconds))};
}

obol::Result<RefreshToken> open_refresh_token(std::string_view text, const obol::Keyring& keyring) {
  auto unpacked = unpack(text, "refresh", keyring);
  if (!unpacked) return std::unexpected(std::move(unpacked.error()));
  return RefreshToken{.session = std::move(unpacked->session), .id = std::move(unpacked->addition)};
}

}  // namespace auth_server
