// Errors as values: a small closed set of codes, each with a message for humans.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>

#include "obol/export.hpp"

namespace obol { inline namespace v0 {

/// Why a call failed. Each code has a page with causes and cures: docs/errors.md.
enum class ErrorCode {
  conflict = 1,        ///< Another writer stored the session first; UpsertError::current is the session that won.
  gone,                ///< The session to update is no longer stored: it was logged out or has expired.
  expired,             ///< The session to store expires now or in the past, by the store's or the server's clock.
  invalid_argument,    ///< An argument or option is outside what is allowed; nothing was sent.
  too_large,           ///< A payload or a reply is over its limit.
  invalid_token,       ///< A session token is malformed, forged, or signed by a key the keyring does not hold.
  pool_timeout,        ///< No connection became free within PoolOptions::checkout_timeout.
  timeout,             ///< The server did not answer before the deadline; it is not known whether it acted.
  unavailable,         ///< No server could be reached, or it is temporarily unable to serve (loading, failing over).
  auth,                ///< The server refused the user name or the password.
  permission,          ///< The server's ACL forbids this user a command or a key.
  out_of_memory,       ///< The server is at its maxmemory; deletes still work.
  unsupported_server,  ///< The server is too old, or lacks functions that this store may not load.
  server,              ///< Any other error reply of the server.
  protocol,            ///< This version does not understand a reply or a stored session.
  closed,              ///< The store was closed or is being destroyed.
  tls,                 ///< TLS cannot be set up, or one side rejects the other's certificate or name.
  too_many_sessions,   ///< The user already has SessionPolicy::max_sessions sessions, and the policy refuses more.
  revoked,             ///< The session began before the user's other logins were revoked; nothing was stored.
  internal,            ///< OpenSSL or the operating system refused a basic operation.
  cancelled,           ///< The caller cancelled the call; if it was sent, it is not known whether the server acted.
};

/// Returns the name of the enumerator: "conflict", "gone", …; "other" for any other value. Thread-safe.
OBOL_EXPORT std::string_view to_string(ErrorCode code) noexcept;

/// Returns the category "obol", to which every Obol error code belongs. Thread-safe.
OBOL_EXPORT const std::error_category& error_category() noexcept;

/// Makes `error.code == ErrorCode::conflict` and `std::error_code code = ErrorCode::gone` work.
OBOL_EXPORT std::error_code make_error_code(ErrorCode code) noexcept;

/// An error: a code for the program and a message for humans. A message never contains a session id, token, payload or
/// key.
struct OBOL_EXPORT Error {
  std::error_code code{};  ///< One of ErrorCode.
  std::string message{};   ///< What happened and what to do about it, in English.
};

/// A value, or the error that explains why there is none.
template <class T>
using Result = std::expected<T, Error>;

}}  // namespace obol::v0

template <>
struct std::is_error_code_enum<obol::ErrorCode> : std::true_type {};
