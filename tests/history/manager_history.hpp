// What the clients of session managers were told, and the check that all of it can be true at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "history/history.hpp"

namespace obol::testing::history {

/// A session and its tokens, as a login or a refresh gave them. Times are those of the managers' clock.
struct Issued {
  std::uint64_t version = 0;            ///< The session's lock version.
  std::chrono::sys_seconds generation;  ///< When its current generation began.
  std::chrono::sys_seconds issued_at;
};

enum class ManagerOperation { log_in, authenticate, refresh, log_out };

enum class ManagerOutcome {
  done,     ///< Logged in, or logged out.
  nobody,   ///< "Not logged in".
  unknown,  ///< An error: what the server did is not known.
};

/// One call. Sessions have numbers that are never used again.
struct ManagerCall {
  ManagerOperation operation{};
  ManagerOutcome outcome{};
  std::uint32_t session = 0;
  Time start = 0;
  Time end = 0;
  std::chrono::sys_seconds clock_at_start{};
  Issued presented{};  ///< By the token of authenticate and refresh.
  Issued given{};      ///< By a login or refresh that is done.
  std::string error{};
};

/// A manager told of a reused token, and that the session has ended.
struct EndedByReuse {
  std::uint32_t session = 0;
  Time time = 0;
};

/// What is broken, in words:
/// - A token was accepted for a refresh that was replaced: a generation that is newer was known, and its overlap over.
/// - Somebody was logged in after a logout or an end by reuse that was acknowledged.
/// - Somebody was not logged in though nothing can have ended the session.
/// - One lock version was shown with two generations, or a later one with an older generation.
std::vector<std::string> check_managers(const std::vector<ManagerCall>& calls, const std::vector<EndedByReuse>& ended,
                                        std::chrono::seconds overlap, std::chrono::seconds drift);

}  // namespace obol::testing::history
