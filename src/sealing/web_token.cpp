// Writes and opens access and refresh tokens.
#include "sealing/web_token.hpp"

#include <algorithm>
#include <cstdint>

#include "base/base64url.hpp"
#include "base/utf8.hpp"
#include "obol/session_limits.hpp"
#include "sealing/cbor.hpp"
#include "sealing/cose_mac0.hpp"

namespace obol { inline namespace v0 { namespace sealing {
namespace {

// The longest user id, type, session id and key id, in base64url.
constexpr std::size_t max_token_characters = 1024;

// Tag 17, an array of 4, the protected header {1: 5, 16: "application/…"}, and the key id as the one unprotected
// parameter.
constexpr std::string_view access_head =
    "\xD1\x84\x58\x25\xA2\x01\x05\x10\x78\x1F"
    "application/vnd.obol.access+cwt"
    "\xA1\x04";
constexpr std::string_view refresh_head =
    "\xD1\x84\x58\x26\xA2\x01\x05\x10\x78\x20"
    "application/vnd.obol.refresh+cwt"
    "\xA1\x04";

constexpr Mac0Form form_of(TokenKind kind) {
  const auto head = kind == TokenKind::access ? access_head : refresh_head;
  return {.before_key_id = head, .protected_header = head.substr(4, head.size() - 6)};
}
static_assert(form_of(TokenKind::access).protected_header.size() == 0x25);
static_assert(form_of(TokenKind::refresh).protected_header.size() == 0x26);

// Claims of RFC 8392, and Obol's own, which are negative: "less than -65536" is for private use.
constexpr std::int64_t subject_label = 2;
constexpr std::int64_t expiry_label = 4;
constexpr std::int64_t issued_at_label = 6;
constexpr std::int64_t token_id_label = 7;
constexpr std::int64_t session_id_label = -65537;
constexpr std::int64_t session_type_label = -65538;
constexpr std::int64_t subject_bytes_label = -65539;
constexpr std::uint64_t claims_in_token = 6;

std::string_view bytes_of(const TokenId& id) { return {reinterpret_cast<const char*>(id.data()), id.size()}; }

// The subject is text in RFC 8392. A user id that is none has a claim of Obol's own instead.
std::string encode_claims(const TokenClaims& claims) {
  const auto& user_id = claims.session.user_id;
  const bool is_text = is_utf8(user_id);
  std::string payload;
  cbor::Writer writer(payload);
  writer.map(claims_in_token);
  if (is_text) writer.integer(subject_label).text(user_id);
  writer.integer(expiry_label).integer(claims.expires_at.time_since_epoch().count());
  writer.integer(issued_at_label).integer(claims.issued_at.time_since_epoch().count());
  writer.integer(token_id_label).bytes(bytes_of(claims.id));
  writer.integer(session_id_label).bytes(claims.session.id);
  writer.integer(session_type_label).text(claims.session.type);
  if (!is_text) writer.integer(subject_bytes_label).bytes(user_id);
  return payload;
}

/// Reads the claims in their one order.
class ClaimsReader {
 public:
  explicit ClaimsReader(std::string_view payload) : reader_(payload) {}

  std::optional<TokenClaims> read() {
    if (reader_.map() != claims_in_token) return std::nullopt;
    if (reader_.next_major() != 0U) return std::nullopt;
    auto label = reader_.integer();
    TokenClaims claims;
    const bool has_subject = label == subject_label;
    if (has_subject) {
      if (!assign(claims.session.user_id, reader_.text()) || !is_utf8(claims.session.user_id)) return std::nullopt;
      label = reader_.integer();
    }
    if (label != expiry_label || !read_time(claims.expires_at)) return std::nullopt;
    if (!expect(issued_at_label) || !read_time(claims.issued_at)) return std::nullopt;
    if (!expect(token_id_label) || !read_id(claims.id)) return std::nullopt;
    if (!expect(session_id_label) || !assign(claims.session.id, reader_.bytes())) return std::nullopt;
    if (!expect(session_type_label) || !assign(claims.session.type, reader_.text())) return std::nullopt;
    if (!has_subject && !read_subject_bytes(claims.session.user_id)) return std::nullopt;
    if (!reader_.at_end() || !validate(claims.session)) return std::nullopt;
    return claims;
  }

 private:
  static bool assign(std::string& member, std::optional<std::string_view> value) {
    if (value) member = *value;
    return value.has_value();
  }

  bool expect(std::int64_t label) { return reader_.integer() == label; }

  bool read_time(std::chrono::sys_seconds& time) {
    const auto value = reader_.integer();
    if (value) time = std::chrono::sys_seconds(std::chrono::seconds(*value));
    return value.has_value();
  }

  bool read_id(TokenId& id) {
    const auto value = reader_.bytes();
    if (!value || value->size() != id.size()) return false;
    std::ranges::copy(*value, reinterpret_cast<char*>(id.data()));
    return true;
  }

  // Text belongs into the subject, so that each token has one form.
  bool read_subject_bytes(std::string& user_id) {
    return expect(subject_bytes_label) && assign(user_id, reader_.bytes()) && !is_utf8(user_id);
  }

  cbor::Reader reader_;
};

}  // namespace

Result<std::string> write_web_token(TokenKind kind, const TokenClaims& claims, const Keyring& keyring) {
  if (auto valid = validate(claims.session); !valid) return std::unexpected(std::move(valid.error()));
  if (keyring.empty()) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, "the keyring is empty; make one with Keyring::from_base_secret"});
  }
  std::string token;
  if (!write_mac0(token, keyring.keys()->current(), {}, encode_claims(claims), form_of(kind))) {
    return std::unexpected(Error{ErrorCode::internal, "OpenSSL could not sign the token; check memory"});
  }
  return base64url_encode(token);
}

std::optional<TokenClaims> open_web_token(TokenKind kind, std::string_view token, const Keyring& keyring) {
  if (token.size() > max_token_characters || keyring.empty()) return std::nullopt;
  const auto bytes = base64url_decode(token);
  if (!bytes) return std::nullopt;
  const auto payload = open_mac0(*bytes, {}, *keyring.keys(), form_of(kind));
  if (!payload) return std::nullopt;
  return ClaimsReader(*payload).read();
}

}}}  // namespace obol::v0::sealing
