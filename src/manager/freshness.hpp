// Whether a presented refresh token is fresh, and what its refresh does to the session. Pure decisions.
#pragma once

#include <chrono>

#include "obol/session.hpp"

namespace obol { inline namespace v0 { namespace manager {

/// A refresh token whose signature was verified.
struct PresentedToken {
  const SessionKey& session;
  std::chrono::sys_seconds issued_at;
  std::chrono::sys_seconds expires_at;
};

/// How long tokens belong together, and how far clocks may differ. Neither is negative.
struct FreshnessOptions {
  std::chrono::seconds overlap{10};
  std::chrono::seconds drift{5};
};

/// What to do with a refresh token.
enum class RefreshDecision {
  rotate,         ///< Fresh: the new tokens begin a generation, and the current one becomes the previous.
  join,           ///< Fresh: the new tokens belong to the current generation.
  reuse,          ///< It was replaced long enough ago: somebody else has used it, or a copy of it.
  expired,        ///< The token or its session has expired.
  other_session,  ///< It was issued for another session.
};

/// Decides by generations. A generation is the set of tokens that were issued within `overlap` of its first token.
/// `tokens_fresh_from` is when the current generation began, `prev_tokens_fresh_from` when the one before did.
///
/// - If the current generation began more than `overlap` ago, only its tokens are fresh, and a refresh begins a new
///   one.
/// - Otherwise the tokens of the current and the previous generation are fresh, and a refresh joins the current one. So
///   tabs that refresh at once all go on, and a client that lost an answer can ask again.
///
/// A token counts as fresh if it is up to `drift` too old, since hosts' clocks differ. While the clock is behind the
/// begin of the current generation, refreshes join it.
RefreshDecision decide_refresh(const Session& session, const PresentedToken& token, std::chrono::sys_seconds now,
                               const FreshnessOptions& options);

/// Makes the current generation the previous one.
void start_generation(Session& session, std::chrono::sys_seconds now);

/// The time of issue of a token that joins the current generation: never before the generation began, so that the token
/// is fresh even if the clock was set back.
std::chrono::sys_seconds issue_time(const Session& session, std::chrono::sys_seconds now);

/// `time + duration`, or the nearest time that can be represented.
std::chrono::sys_seconds saturating_add(std::chrono::sys_seconds time, std::chrono::seconds duration);

}}}  // namespace obol::v0::manager
