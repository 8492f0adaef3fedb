// What can go wrong, as values: a small closed set of codes, each with a message for a human.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>

#include "obol/export.hpp"

namespace obol::inline v0 {

/// Why a call did not do what was asked. Each has a page with causes and cures: docs/errors.md.
enum class ErrorCode {
  conflict = 1,        ///< Another writer was first; UpsertError::current is the session that won.
  gone,                ///< The session to update is no longer stored: it was logged out or has expired.
  expired,             ///< The session to store expires now or in the past, by the store's or the server's clock.
  invalid_argument,    ///< An argument or option is outside what is allowed; nothing was sent.
  too_large,           ///< A payload or a reply is over its limit.
  invalid_token,       ///< A session token is malformed, forged, or signed by a key the keyring does not hold.
  pool_timeout,        ///< No connection came free within PoolOptions::checkout_timeout.
  timeout,             ///< The server did not answer before the deadline; whether it acted is not known.
  unavailable,         ///< No server could be reached, or it cannot serve for now (loading, failing over).
  auth,                ///< The server refused the user name or the password.
  permission,          ///< The server's ACL forbids this user a command or a key.
  out_of_memory,       ///< The server is at its maxmemory; deletes still work.
  unsupported_server,  ///< The server is too old, or lacks the functions and this store may not load them.
  server,              ///< Any other error answer of the server.
  protocol,            ///< A reply or a stored session that this version does not understand.
  closed,              ///< The store is being destroyed.
  tls,                 ///< TLS cannot be set up, or one side does not accept the other's certificate or name.
  too_many_sessions,   ///< The user has SessionPolicy::max_sessions already, and the policy refuses more.
  revoked,             ///< The session was begun before its user's other logins were revoked; nothing was stored.
  internal,            ///< OpenSSL or the operating system refused a basic service.
};

/// As the enumerator is called: "conflict", "gone", …; "other" for a value that is none of them. Thread-safe.
OBOL_EXPORT std::string_view to_string(ErrorCode code) noexcept;

/// The category named "obol" that every Obol error code belongs to. Thread-safe.
OBOL_EXPORT const std::error_category& error_category() noexcept;

/// Makes `error.code == ErrorCode::conflict` and `std::error_code code = ErrorCode::gone` work.
OBOL_EXPORT std::error_code make_error_code(ErrorCode code) noexcept;

/// An error: the code for the program, the message for a human. A message never holds a session id, token, payload or
/// key.
struct OBOL_EXPORT Error {
  std::error_code code{};  ///< One of ErrorCode.
  std::string message{};   ///< What happened and what to do about it, in English.
};

/// The value, or why there is none.
template <class T>
using Result = std::expected<T, Error>;

}  // namespace obol::inline v0

template <>
struct std::is_error_code_enum<obol::ErrorCode> : std::true_type {};
